"""Workflows run on real pods: graphs, data between nodes, failure, retry, timeout, cancellation, schedules, waiting."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from hack.cluster.provider import ClusterProvider
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, WORKFLOW_RUNS, WORKFLOWS
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, condition, is_ready, not_ready_because, unique
from tests.support.shell import lasting, shell
from tests.support.stuck import WAITING
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A Workspace that is ready, with a namespace of its own name."""
    name = unique("runs")
    # More than the node has, so that it is the scheduler who says no, and not the quota.
    await cluster.apply(a_quota(name).with_compute(**{"requests.cpu": "2000", "limits.cpu": "2000"}))
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def nodes(run: Object) -> dict[str, str]:
    """Phase by node."""
    return {node["id"]: node["phase"] for node in run["status"]["nodes"]}


def node(run: Object, name: str) -> Mapping[str, Any]:
    """One node's status."""
    found: Mapping[str, Any] = next(item for item in run["status"]["nodes"] if item["id"] == name)
    return found


async def test_data_flows_through_parallel_branches_and_a_condition(cluster: Cluster, acme: str) -> None:
    give = """echo '{"rows": '"$ROWS"'}' > $HEADGATE_OUTPUT"""
    workflow = (
        a_workflow("flow", acme)
        .with_input("rows", default=3)
        .with_node(
            "extract", shell(cluster, give, env=[{"name": "ROWS", "value": "${{ inputs.rows }}"}]), after=["by-hand"]
        )
        .with_node(
            "left",
            shell(cluster, give, env=[{"name": "ROWS", "value": "1${{ nodes.extract.output.rows }}"}]),
            after=["extract"],
        )
        .with_node(
            "right",
            shell(cluster, give, env=[{"name": "ROWS", "value": "2${{ nodes.extract.output.rows }}"}]),
            after=["extract"],
        )
        .with_condition("enough", "nodes.left.output.rows + nodes.right.output.rows > 40", after=["left", "right"])
        .with_node("many", shell(cluster, "true"), after=["enough"])
        .with_node("few", shell(cluster, "true"), after=["enough:false"])
    )
    await cluster.apply(workflow)

    await cluster.apply(a_run("seven", acme, "flow").with_inputs(rows=7))
    await cluster.apply(a_run("three", acme, "flow"))

    seven = await cluster.finished("seven", acme)
    assert seven["status"]["phase"] == "Succeeded"
    assert seven["status"]["progress"] == "6/6"
    assert nodes(seven) | {"many": "Succeeded", "few": "Skipped"} == nodes(seven)
    assert nodes(await cluster.finished("three", acme)) | {"many": "Skipped", "few": "Succeeded"} == nodes(
        await cluster.finished("three", acme)
    )


async def test_each_attempt_is_one_restricted_job_and_failures_are_retried(cluster: Cluster, acme: str) -> None:
    flaky = shell(cluster, 'test "$HEADGATE_ATTEMPT" -ge 3')
    workflow = a_workflow("flaky", acme).with_node(
        "try", flaky, after=["by-hand"], retry={"limit": 3, "initialDelay": "1s"}
    )
    await cluster.apply(workflow, a_run("flaky", acme, "flaky"))

    done = await cluster.finished("flaky", acme)

    assert done["status"]["phase"] == "Succeeded"
    assert node(done, "try")["attempt"] == 3
    jobs = await cluster.list(JOBS, acme)
    assert sorted(job["metadata"]["labels"]["headgate.dev/attempt"] for job in jobs) == ["1", "2", "3"]
    assert {job["spec"]["backoffLimit"] for job in jobs} == {0}


async def test_a_failed_node_stops_what_depends_on_it_and_nothing_else(cluster: Cluster, acme: str) -> None:
    workflow = (
        a_workflow("broken", acme)
        .with_node("bad", shell(cluster, "echo '\"no disk\"' > $HEADGATE_OUTPUT; exit 3"), after=["by-hand"])
        .with_node("after-bad", shell(cluster, "true"), after=["bad"])
        .with_node("good", shell(cluster, "true"), after=["by-hand"])
        .with_node("after-good", shell(cluster, "true"), after=["good"])
    )
    await cluster.apply(workflow, a_run("broken", acme, "broken"))

    done = await cluster.finished("broken", acme)

    assert done["status"]["phase"] == "Failed"
    assert nodes(done) == {"bad": "Failed", "after-bad": "Skipped", "good": "Succeeded", "after-good": "Succeeded"}
    assert node(done, "bad")["reason"] == "ExitCode"
    assert "exited with code 3" in condition(done, "Ready")["message"]


async def test_an_attempt_that_takes_too_long_is_ended(cluster: Cluster, acme: str) -> None:
    slow = a_workflow("slow", acme).with_node("sleep", shell(cluster, lasting(600)), after=["by-hand"], timeout="3s")
    await cluster.apply(slow, a_run("slow", acme, "slow"))

    done = await cluster.finished("slow", acme)

    assert (done["status"]["phase"], node(done, "sleep")["reason"]) == ("Failed", "Timeout")


@pytest.mark.parametrize("how", ["spec.cancel", "delete"])
async def test_cancelling_ends_the_job(cluster: Cluster, acme: str, how: str) -> None:
    await cluster.apply(a_workflow("long", acme).with_node("sleep", shell(cluster, lasting(600)), after=["by-hand"]))
    await cluster.apply(a_run("long", acme, "long"))
    await cluster.until(WORKFLOW_RUNS, "long", acme, lambda run: run.get("status", {}).get("phase") == "Running")

    if how == "delete":
        await cluster.kube.delete(WORKFLOW_RUNS, "long", acme)
    else:
        await cluster.kube.merge_patch(WORKFLOW_RUNS, "long", acme, {"spec": {"cancel": True}})
        cancelled = await cluster.finished("long", acme)
        assert nodes(cancelled) == {"sleep": "Cancelled"}

    async def no_jobs() -> bool:
        return await cluster.list(JOBS, acme) == []

    await eventually(no_jobs, what="the end of the Job")


async def test_a_schedule_fires_once_per_tick(cluster: Cluster, acme: str) -> None:
    await cluster.apply(
        a_workflow("ticking", acme)
        .with_schedule("each-minute", "* * * * *")
        .with_node("tick", shell(cluster, "true"), after=["each-minute"])
    )
    first = await cluster.until(WORKFLOWS, "ticking", acme, lambda item: item.get("status", {}).get("nextScheduleTime"))
    expected = first["status"]["nextScheduleTime"]

    fired = await cluster.until(
        WORKFLOWS, "ticking", acme, lambda item: item["status"].get("lastScheduleTime") == expected
    )

    assert fired["status"]["nextScheduleTime"] > expected

    async def one_job() -> list[Object] | None:
        jobs = await cluster.list(JOBS, acme)
        return jobs if jobs and all(job.get("status", {}).get("succeeded") for job in jobs) else None

    assert len(await eventually(one_job)) == 1


@pytest.mark.parametrize("case", WAITING)
async def test_a_run_says_why_it_waits(cluster: Cluster, acme: str, case: str) -> None:
    stuck = WAITING[case]
    await cluster.apply(a_workflow("stuck", acme).with_node("stuck", stuck.node(cluster), after=["by-hand"]))
    await cluster.until(WORKFLOWS, "stuck", acme, is_ready)
    await cluster.apply(a_run("stuck", acme, "stuck"))

    run = await cluster.until(WORKFLOW_RUNS, "stuck", acme, not_ready_because(stuck.reason))

    waiting = run["status"]["waitingFor"][0]
    assert (waiting["node"], waiting["reason"]) == ("stuck", stuck.reason)
    assert waiting["message"]


async def test_a_run_says_that_its_image_is_being_pulled(
    cluster: Cluster, acme: str, provider: ClusterProvider
) -> None:
    silent = socket.create_server((provider.host_address(), 0))
    image = f"{provider.host_address()}:{silent.getsockname()[1]}/large:1"
    with silent:
        stuck = a_workflow("stuck", acme).with_node("stuck", {"container": {"image": image}}, after=["by-hand"])
        await cluster.apply(stuck)
        await cluster.until(WORKFLOWS, "stuck", acme, is_ready)
        await cluster.apply(a_run("stuck", acme, "stuck"))

        waits = await cluster.until(WORKFLOW_RUNS, "stuck", acme, not_ready_because("ContainerCreating"))

        assert image in waits["status"]["waitingFor"][0]["message"]
        await cluster.kube.delete(WORKFLOW_RUNS, "stuck", acme)


async def test_a_broken_workflow_says_so_and_the_other_workspace_runs_on(cluster: Cluster, acme: str) -> None:
    broken = (
        a_workflow("broken", acme)
        .with_schedule("never", "0 0 31 2 *")
        .with_node("x", shell(cluster, "true"), after=["never"])
    )
    other = unique("other")
    await cluster.ready_workspace(a_workspace(other).with_quota(acme))
    try:
        await cluster.apply(broken)
        await cluster.until(WORKFLOWS, "broken", acme, not_ready_because("InvalidSchedule"))

        await cluster.apply(
            a_workflow("fine", other).with_node("x", shell(cluster, "true"), after=["by-hand"]),
            a_run("fine", other, "fine"),
        )
        assert (await cluster.finished("fine", other))["status"]["phase"] == "Succeeded"
    finally:
        await cluster.remove(workspaces=(other,))


async def test_a_run_of_no_workflow_waits_until_there_is_one(cluster: Cluster, acme: str) -> None:
    await cluster.apply(a_run("early", acme, "late"))
    await cluster.until(WORKFLOW_RUNS, "early", acme, not_ready_because("WorkflowNotFound"))

    await cluster.apply(a_workflow("late", acme).with_node("x", shell(cluster, "true"), after=["by-hand"]))

    assert (await cluster.finished("early", acme))["status"]["phase"] == "Succeeded"


async def test_a_run_with_more_labels_than_are_kept_says_so(cluster: Cluster, acme: str) -> None:
    await cluster.apply(a_workflow("labelled", acme).with_node("work", shell(cluster, "true")))
    run = a_run("labelled", acme, "labelled").with_value("metadata.labels", {f"k{number}": "v" for number in range(33)})
    await cluster.apply(run)

    status = (await cluster.until(WORKFLOW_RUNS, "labelled", acme, not_ready_because("InvalidLabels")))["status"]

    assert status["phase"] == "Failed"
