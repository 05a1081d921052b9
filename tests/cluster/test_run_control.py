"""What people do with runs on real pods: end them gracefully, hold them, retry them, decide."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hack.kube import Kube
from hack.shell import CommandError
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS, WORKFLOW_RUNS, WORKFLOWS
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, condition, unique
from tests.support.shell import HELD, let_go, shell

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A Workspace that is ready, with a namespace of its own name and the editors alice and bob."""
    name = unique("control")
    workspace = a_workspace(name).with_quota(name)
    await cluster.apply(a_quota(name))
    await cluster.ready_workspace(workspace.with_member("editor", name="alice").with_member("editor", name="bob"))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def nodes(run: Object) -> dict[str, str]:
    """Phase by node."""
    return {node["id"]: node["phase"] for node in run["status"].get("nodes", ())}


def attempts(run: Object) -> dict[str, int]:
    """The latest attempt by node."""
    return {node["id"]: node.get("attempt", 0) for node in run["status"]["nodes"]}


def waits_for(reason: str) -> Callable[[Object], bool]:
    """Whether the run says that it waits for that."""
    return lambda run: reason in [item["reason"] for item in run.get("status", {}).get("waitingFor", ())]


def is_at(node: str, phase: str) -> Callable[[Object], bool]:
    """Whether a node is in that phase."""
    return lambda run: nodes(run).get(node) == phase if run.get("status") else False


def is_version(number: int) -> Callable[[Object], bool]:
    """Whether that version of a workflow is current."""
    return lambda item: item.get("status", {}).get("version") == number


async def steer(cluster: Cluster, run: str, namespace: str, **spec: Any) -> None:
    """Change what the run's spec asks for."""
    await cluster.kube.merge_patch(WORKFLOW_RUNS, run, namespace, {"spec": spec})


async def test_a_cancelled_run_ends_its_pods_first_and_cleans_up_afterwards(cluster: Cluster, acme: str) -> None:
    # The pod takes its time to end; what it writes last would be lost if the final node did not wait for it.
    patient = "trap 'sleep 2; exit 0' TERM; sleep 600 & wait"
    workflow = (
        a_workflow("long", acme)
        .with_node("work", shell(cluster, patient))
        .with_node("never", shell(cluster, "true"), after=["work"])
        .with_node("clean", shell(cluster, "true"), after=["work"], final=True)
    )
    await cluster.apply(workflow, a_run("long", acme, "long"))
    await cluster.until(WORKFLOW_RUNS, "long", acme, is_at("work", "Running"))

    await steer(cluster, "long", acme, cancel=True)

    done = await cluster.finished("long", acme)
    assert done["status"]["phase"] == "Cancelled"
    assert nodes(done) == {"work": "Cancelled", "never": "Cancelled", "clean": "Succeeded"}
    ended = {node["id"]: node for node in done["status"]["nodes"]}
    assert ended["work"]["finishedAt"] <= ended["clean"]["startedAt"]
    jobs = await cluster.list(JOBS, acme)
    assert [job["metadata"]["labels"]["headgate.dev/node"] for job in jobs] == ["clean"]


async def test_a_suspended_run_finishes_what_runs_and_goes_on_when_it_may(
    cluster: Cluster, kube: Kube, acme: str
) -> None:
    workflow = (
        a_workflow("held", acme)
        .with_node("first", shell(cluster, HELD))
        .with_node("second", shell(cluster, "true"), after=["first"])
    )
    await cluster.apply(workflow, a_run("held", acme, "held"))
    await cluster.until(WORKFLOW_RUNS, "held", acme, is_at("first", "Running"))

    await steer(cluster, "held", acme, suspend=True)
    await cluster.until(WORKFLOW_RUNS, "held", acme, lambda run: run["status"]["phase"] == "Suspended")
    await let_go(cluster, kube, acme, "headgate.dev/node=first")

    held = await cluster.until(WORKFLOW_RUNS, "held", acme, is_at("first", "Succeeded"))
    assert held["status"]["phase"] == "Suspended"
    assert waits_for("RunSuspended")(held)
    assert nodes(held)["second"] == "Pending"
    await steer(cluster, "held", acme, suspend=False)
    assert (await cluster.finished("held", acme))["status"]["phase"] == "Succeeded"


async def test_a_run_that_is_suspended_from_the_beginning_starts_later(cluster: Cluster, acme: str) -> None:
    await cluster.apply(a_workflow("later", acme).with_node("work", shell(cluster, "true")))
    await cluster.apply(a_run("later", acme, "later").with_spec(suspend=True))
    held = await cluster.until(WORKFLOW_RUNS, "later", acme, waits_for("RunSuspended"))
    assert held["status"]["phase"] == "Suspended"

    await steer(cluster, "later", acme, suspend=False)

    assert (await cluster.finished("later", acme))["status"]["phase"] == "Succeeded"


async def test_a_failed_run_is_retried_from_the_failed_step(cluster: Cluster, acme: str) -> None:
    workflow = (
        a_workflow("flaky", acme)
        .with_node("once", shell(cluster, "echo 7 > $HEADGATE_OUTPUT"))
        .with_node("flaky", shell(cluster, 'test "$HEADGATE_ATTEMPT" -ge 2'), after=["once"])
        .with_node("last", shell(cluster, "true"), after=["flaky"])
    )
    await cluster.apply(workflow, a_run("flaky", acme, "flaky"))
    failed = await cluster.finished("flaky", acme)
    assert nodes(failed) == {"once": "Succeeded", "flaky": "Failed", "last": "Skipped"}

    await steer(cluster, "flaky", acme, retry=1)

    done = await cluster.until(WORKFLOW_RUNS, "flaky", acme, lambda run: run["status"]["phase"] == "Succeeded")
    assert attempts(done) == {"once": 1, "flaky": 2, "last": 1}
    jobs = [job["metadata"]["labels"] for job in await cluster.list(JOBS, acme)]
    assert sorted((job["headgate.dev/node"], job["headgate.dev/attempt"]) for job in jobs) == [
        ("flaky", "1"),
        ("flaky", "2"),
        ("last", "1"),
        ("once", "1"),
    ]


async def test_a_member_decides_in_their_own_name(cluster: Cluster, kube: Kube, acme: str) -> None:
    workflow = (
        a_workflow("asking", acme)
        .with_node("ask", {"approval": {"message": "Ship it?", "users": ["alice"]}})
        .with_node("ship", shell(cluster, "true"), after=["ask"])
    )
    await cluster.apply(workflow, a_run("asking", acme, "asking"))
    waiting = await cluster.until(WORKFLOW_RUNS, "asking", acme, waits_for("Approval"))
    [told] = waiting["status"]["waitingFor"]
    assert told["message"].startswith("Ship it?")
    assert told["until"]

    def approve(who: str, name: str) -> str:
        """What the API server says to ``who``, who approves as ``name``."""
        what = ("workflowrun", "asking", f"--namespace={acme}", f"--as={who}")
        there = kube.get(*what)["spec"].get("approvals", [])
        patch = {"spec": {"approvals": [*there, {"node": "ask", "approved": True, "by": name}]}}
        try:
            return kube.kubectl("patch", *what, "--type=merge", f"--patch={json.dumps(patch)}")
        except CommandError as refusal:
            return str(refusal)

    assert "nobody decides for somebody else" in approve("bob", "alice")
    assert "patched" in approve("bob", "bob")
    refused = await cluster.until(WORKFLOW_RUNS, "asking", acme, waits_for("NotAllowed"))
    assert nodes(refused)["ship"] == "Pending"
    assert "patched" in approve("alice", "alice")
    done = await cluster.finished("asking", acme)
    assert done["status"]["phase"] == "Succeeded"


async def test_a_debug_run_stands_at_its_breakpoint_and_its_pods_are_marked(cluster: Cluster, acme: str) -> None:
    workflow = (
        a_workflow("debugged", acme)
        .with_node("fetch", {"http": {"url": "https://example.com"}})
        .with_node("first", shell(cluster, "true"), after=["fetch"])
        .with_node("second", shell(cluster, "true"), after=["first"])
        .with_node("third", shell(cluster, "true"), after=["second"])
    )
    debug = {
        "mocks": [{"node": "fetch", "output": {"status": 200}}],
        "breakpoints": [{"node": "first", "at": "After"}],
    }
    await cluster.apply(workflow, a_run("debugged", acme, "debugged").with_spec(mode="Debug", debug=debug))

    held = await cluster.until(WORKFLOW_RUNS, "debugged", acme, waits_for("Breakpoint"))

    assert held["status"]["phase"] == "Suspended"
    assert nodes(held) == {"fetch": "Succeeded", "first": "Succeeded", "second": "Pending", "third": "Pending"}
    pods = await cluster.list(PODS, acme, labels="headgate.dev/mode=Debug")
    assert [pod["metadata"]["labels"]["headgate.dev/node"] for pod in pods] == ["first"]
    await steer(cluster, "debugged", acme, step=1)
    await cluster.until(WORKFLOW_RUNS, "debugged", acme, is_at("second", "Succeeded"))
    held = await cluster.until(WORKFLOW_RUNS, "debugged", acme, waits_for("Breakpoint"))
    assert nodes(held) == {"fetch": "Succeeded", "first": "Succeeded", "second": "Succeeded", "third": "Pending"}
    await steer(cluster, "debugged", acme, resume=1)
    assert (await cluster.finished("debugged", acme))["status"]["phase"] == "Succeeded"


async def test_a_test_run_is_retried_from_the_failed_step(cluster: Cluster, acme: str) -> None:
    workflow = (
        a_workflow("mended", acme)
        .with_node("fetch", {"http": {"url": "https://example.com"}})
        .with_node("work", shell(cluster, "exit 3"), after=["fetch"])
    )
    debug = {"mocks": [{"node": "fetch", "output": {"status": 200}}]}
    await cluster.apply(workflow, a_run("mended", acme, "mended").with_spec(mode="Test", debug=debug))
    assert attempts(await cluster.finished("mended", acme)) == {"fetch": 1, "work": 1}

    await steer(cluster, "mended", acme, retry=1)

    def retried(run: Object) -> bool:
        return run["status"]["phase"] == "Failed" and attempts(run)["work"] > 1

    assert attempts(await cluster.until(WORKFLOW_RUNS, "mended", acme, retried)) == {"fetch": 1, "work": 2}


async def test_an_older_version_runs_and_an_unknown_one_is_refused(cluster: Cluster, acme: str) -> None:
    for word in ("old", "new"):
        await cluster.apply(a_workflow("worded", acme).with_node("say", shell(cluster, f"echo '\"{word}\"'")))
        expected = {"old": 1, "new": 2}[word]
        await cluster.until(WORKFLOWS, "worded", acme, is_version(expected))

    await cluster.apply(a_run("old", acme, "worded").with_spec(version=1))
    await cluster.apply(a_run("unknown", acme, "worded").with_spec(version=3))

    old = await cluster.finished("old", acme)
    assert (old["status"]["phase"], old["status"]["workflowVersion"]) == ("Succeeded", 1)
    unknown = await cluster.finished("unknown", acme)
    assert condition(unknown, "Ready")["reason"] == "UnknownVersion"
    await cluster.apply(a_run("again", acme, "worded").with_spec(replayOf=old["status"]["runId"]))
    again = await cluster.finished("again", acme)
    assert (again["status"]["phase"], again["status"]["workflowVersion"]) == ("Succeeded", 1)
