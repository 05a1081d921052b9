"""Logs of real pods: kept before their Jobs go, cut where they are long, and lost neither with operator nor store."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE
from hack.tools import tool
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS, WORKFLOW_RUNS
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import ROOT, OperatorProcess
from tests.support.shell import HELD, let_go, shell, time_out
from tests.support.waiting import PATIENCE_SECONDS, eventually

LIMIT = 1_048_576
WRITTEN = 5 * 1024 * 1024
NOTE = re.compile(
    rb"\n\[headgate: this log has (\d+) bytes, of which (\d+) are left out here; at most \d+ are kept\]\n"
)


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace for a Workspace on a plan of its own."""
    name = unique("logs")
    await cluster.apply(a_quota(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


@pytest.fixture
def objects(tmp_path: Path) -> str:
    """Where this test's logs lie."""
    return f"file://{tmp_path}/objects"


@pytest.fixture
def replica(new_operator: Callable[..., OperatorProcess], objects: str) -> Iterator[OperatorProcess]:
    """An operator of this test alone, which lets Jobs go at once when their logs are kept."""
    operator = new_operator(HEADGATE_OBJECT_STORE=objects, HEADGATE_JOB_TTL_SECONDS="0")
    yield operator
    operator.stop()


def script(source: str) -> dict[str, Any]:
    """A node that a runner executes."""
    return {"script": {"language": "shell", "source": source}}


def with_runners(image: str) -> dict[str, str]:
    """What an operator has to know to make runners."""
    return {
        "HEADGATE_GATEWAY_URL": f"http://{RELEASE}-gateway.{NAMESPACE}.svc:8000",
        "HEADGATE_RUNNER_IMAGE": image,
        "HEADGATE_RUNNER_IDLE_SECONDS": "2",
    }


async def shown(
    operator: OperatorProcess, database: TestDatabase, run: str, *options: str, objects: str
) -> subprocess.CompletedProcess[bytes]:
    """What ``headgate node-logs`` prints, with the operator's own identity."""
    return await asyncio.to_thread(
        lambda: subprocess.run(
            [sys.executable, "-m", "headgate.cli.entry", "node-logs", run, *options],
            env={
                "PATH": os.environ["PATH"],
                "HEADGATE_KUBECONFIG": str(operator.kubeconfig),
                "HEADGATE_DATABASE_URL": database.url,
                "HEADGATE_OBJECT_STORE": objects,
            },
            cwd=ROOT / "operator",
            capture_output=True,
            check=False,
            timeout=60,
        )
    )


async def until_nothing_is_left(cluster: Cluster, namespace: str) -> None:
    """Return when Jobs and pods are gone."""

    async def gone() -> bool:
        return not await cluster.list(JOBS, namespace) and not await cluster.list(PODS, namespace)

    await eventually(gone, every=0.5, what="the end of all Jobs and pods")


async def test_logs_are_there_after_jobs_and_pods_are_gone_and_long_ones_are_cut(
    cluster: Cluster,
    acme: str,
    replica: OperatorProcess,
    database: TestDatabase,
    objects: str,
) -> None:
    replica.start().wait_until_leading()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    # 64 bytes a line.
    lines = f"yes {'x' * 63} | head -n {WRITTEN // 64}"
    work = (
        a_workflow("work", acme)
        .with_node("first", shell(cluster, "echo from the first; echo on stderr >&2"))
        .with_node("second", shell(cluster, f"echo begin; {lines}; echo end; exit 3"), after=["first"])
    )
    await cluster.apply(work, a_run("work", acme, "work"))

    run = await cluster.finished("work", acme)
    assert run["status"]["phase"] == "Failed"
    await until_nothing_is_left(cluster, acme)

    first = await shown(replica, database, f"{acme}/work", "--node", "first", objects=objects)
    assert first.returncode == 0, first.stderr
    assert sorted(first.stdout.splitlines()) == [b"from the first", b"on stderr"]
    second = (
        await shown(replica, database, f"{acme}/{run['status']['runId']}", "--node=second", objects=objects)
    ).stdout
    assert len(second) <= LIMIT
    assert second.startswith(b"begin\nxxx")
    assert second.endswith(b"xxx\nend\n")
    head, total, left_out, tail = NOTE.split(second)
    assert int(total) == WRITTEN + len(b"begin\nend\n")
    assert len(head) + 1 + len(tail) + int(left_out) in (int(total), int(total) + 1)
    both = await shown(replica, database, f"{acme}/work", objects=objects)
    assert b"==> first, attempt 1 <==\n" in both.stdout
    assert b"==> second, attempt 1 <==\n" in both.stdout
    recorded = database.rows(
        "SELECT s.node, s.log_bytes, s.log_truncated FROM headgate.workflow_execution_steps s"
        " JOIN headgate.workspaces w ON w.id = s.workspace_id AND w.name = %s WHERE s.attempt > 0 ORDER BY s.node",
        acme,
    )
    assert recorded == [("first", len(first.stdout), False), ("second", len(second), True)]


async def test_an_operator_killed_between_completing_and_keeping_still_keeps_the_log(
    cluster: Cluster,
    acme: str,
    replica: OperatorProcess,
    database: TestDatabase,
    objects: str,
    tmp_path: Path,
    image: str,
) -> None:
    (tmp_path / "taken").touch()
    replica.extra = {**with_runners(image), "HEADGATE_OBJECT_STORE": f"file://{tmp_path}/taken/objects"}
    replica.start().wait_until_leading()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    work = (
        a_workflow("work", acme)
        .with_node("first", shell(cluster, "echo one"))
        .with_node("second", shell(cluster, "echo two"), after=["first"])
        .with_node("third", script("echo three"), after=["second"])
    )
    await cluster.apply(work, a_run("work", acme, "work"))

    async def runner_ended() -> bool:
        [runner] = await cluster.list(JOBS, acme, "app.kubernetes.io/component=runner")
        return bool(runner.get("status", {}).get("succeeded"))

    # A store that is away holds up nothing.
    assert (await cluster.finished("work", acme))["status"]["phase"] == "Succeeded"
    await eventually(runner_ended, what="the end of the runner")
    replica.kill()
    assert len(await cluster.list(JOBS, acme)) == 3
    assert [job for job in await cluster.list(JOBS, acme) if "ttlSecondsAfterFinished" in job["spec"]] == []
    kept = (
        "SELECT s.node FROM headgate.workflow_execution_steps s JOIN headgate.workspaces w ON w.id = s.workspace_id"
        " WHERE w.name = %s AND s.log_bytes IS NOT NULL"
    )
    assert database.rows(kept, acme) == []
    for node, text in (("first", b"one\n"), ("third", b"three\n")):
        live = await shown(replica, database, f"{acme}/work", "--node", node, objects=objects)
        assert live.stdout == text, live.stderr

    replica.extra = {"HEADGATE_OBJECT_STORE": objects, "HEADGATE_JOB_TTL_SECONDS": "0"}
    replica.start().wait_until_leading()
    await until_nothing_is_left(cluster, acme)

    for node, text in (("first", b"one\n"), ("second", b"two\n"), ("third", b"three\n")):
        assert (await shown(replica, database, f"{acme}/work", "--node", node, objects=objects)).stdout == text


async def test_a_node_that_took_too_long_or_was_cancelled_keeps_what_it_wrote(
    cluster: Cluster,
    acme: str,
    replica: OperatorProcess,
    database: TestDatabase,
    objects: str,
) -> None:
    replica.start().wait_until_leading()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    script = 'trap "echo ending; sleep 8; exit 1" TERM; echo begun; while true; do sleep 0.2; done'
    slow = a_workflow("slow", acme).with_node("work", shell(cluster, script))
    long = a_workflow("long", acme).with_node("work", shell(cluster, script))
    await cluster.apply(slow, long, a_run("slow", acme, "slow"), a_run("long", acme, "long"))

    async def both_run() -> bool:
        answers = [await shown(replica, database, f"{acme}/{run}", objects=objects) for run in ("slow", "long")]
        return [answer.stdout for answer in answers] == [b"begun\n", b"begun\n"]

    await eventually(both_run, what="the logs of two running nodes")
    await time_out(cluster, acme, "headgate.dev/workflow=slow")
    await cluster.apply(a_run("long", acme, "long").cancelled())
    assert (await cluster.finished("slow", acme))["status"]["phase"] == "Failed"
    assert (await cluster.finished("long", acme))["status"]["phase"] == "Cancelled"
    await until_nothing_is_left(cluster, acme)

    for run in ("slow", "long"):

        async def kept(run: str = run) -> bytes:
            return (await shown(replica, database, f"{acme}/{run}", objects=objects)).stdout

        assert await eventually(kept, what=f"the log of {run}") == b"begun\nending\n"


async def test_following_goes_on_until_the_attempt_ends(
    cluster: Cluster,
    acme: str,
    replica: OperatorProcess,
    database: TestDatabase,
    objects: str,
) -> None:
    replica.start().wait_until_leading()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    await cluster.apply(
        a_workflow("work", acme).with_node("work", shell(cluster, "echo one; sleep 3; echo two")),
        a_run("work", acme, "work"),
    )

    async def started() -> Object | None:
        pods = await cluster.list(PODS, acme)
        return pods[0] if pods else None

    await eventually(started, what="a pod")

    followed = await shown(replica, database, f"{acme}/work", "--node=work", "-f", objects=objects)

    assert followed.stdout == b"one\ntwo\n", followed.stderr


async def test_what_steps_write_is_followed_over_the_api_while_they_run(
    cluster: Cluster,
    acme: str,
    replica: OperatorProcess,
    kube: Kube,
    image: str,
) -> None:
    # Pods stay for a while: where logs go on after them, this operator's object store, the gateway cannot look.
    followed = {"HEADGATE_GATEWAY_ACCOUNT": f"{RELEASE}-gateway", "HEADGATE_JOB_TTL_SECONDS": "60"}
    replica.extra = {**replica.extra, **with_runners(image), **followed}
    replica.start().wait_until_leading()
    await cluster.ready_workspace(
        a_workspace(acme).with_quota(acme).with_member("viewer", "ServiceAccount", "default", acme)
    )
    work = (
        a_workflow("work", acme)
        .with_node("container", shell(cluster, f"echo one; echo two; {HELD}; echo three"))
        .with_node("script", script(f"echo four; {HELD}; echo five"), after=["container"])
    )
    await cluster.apply(work, a_run("work", acme, "work"))
    run = await cluster.until(WORKFLOW_RUNS, "work", acme, lambda item: item.get("status", {}).get("runId"))
    token = kube.kubectl("create", "token", "default", f"--namespace={acme}", "--audience=headgate").strip()
    given = {"SERVER": "http://localhost:8000", "WORKSPACE": acme, "TOKEN": token}
    command = [
        *(str(tool("kubectl")), f"--kubeconfig={kube.kubeconfig}", "exec", f"--namespace={NAMESPACE}"),
        *(f"deployment/{RELEASE}-gateway", "--", "env", *(f"HEADGATE_{name}={value}" for name, value in given.items())),
        *("headgate", "logs", run["status"]["runId"]),
    ]

    of_runner, of_step = "app.kubernetes.io/component=runner", "headgate.dev/node=container"
    for step, first, rest, pod in (
        ("container", b"one\n", b"two\nthree\n", of_step),
        ("script", b"four\n", b"five\n", of_runner),
    ):
        await cluster.until(WORKFLOW_RUNS, "work", acme, running(step))
        reader = await asyncio.create_subprocess_exec(*command, step, "-f", stdout=asyncio.subprocess.PIPE)
        assert reader.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.stdout.readline() == first
            live = await cluster.get(WORKFLOW_RUNS, "work", acme)
            assert live is not None
            assert phase_of(live, step) == "Running"
            await let_go(cluster, kube, acme, pod)
            assert await reader.stdout.read() == rest
            assert await reader.wait() == 0


def running(step: str) -> Callable[[Object], bool]:
    """Whether the step of a run is under way."""
    return lambda run: phase_of(run, step) == "Running"


def phase_of(run: Object, node: str) -> str:
    """Where a node of a run stands."""
    return next((str(item["phase"]) for item in run["status"].get("nodes", ()) if item["id"] == node), "")


async def test_nodes_that_ran_in_a_runner_keep_each_its_own_log_also_where_they_were_asked_to_end(
    cluster: Cluster,
    acme: str,
    replica: OperatorProcess,
    database: TestDatabase,
    objects: str,
    image: str,
) -> None:
    replica.extra = {**replica.extra, **with_runners(image)}
    replica.start().wait_until_leading()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    forged = '{"run": "x", "node": "second", "attempt": 1, "number": 0, "stream": "stdout", "text": "forged"}'
    slow = "trap 'echo ending; sleep 3; echo ended; exit 1' TERM; echo begun; while :; do sleep 0.2; done"
    both = (
        a_workflow("both", acme)
        .with_node("first", script(f"echo '{forged}'; echo; echo from the first"))
        .with_node("second", script("yes x | head -c 3000000; echo end; exit 3"), after=["first"])
    )
    stopped = a_workflow("stopped", acme).with_node("work", script(slow))
    stopped = stopped.with_node("clean", script("echo cleaning"), after=["work"], final=True)
    # Its time begins when it is due: by then its runner is there.
    late = a_workflow("late", acme).with_node("before", script("true"))
    late = late.with_node("work", script(slow), after=["before"], timeout="20s")
    await cluster.apply(both, stopped, late)
    await cluster.apply(*(a_run(name, acme, name) for name in ("both", "stopped", "late")))

    async def runs() -> bool:
        return (await shown(replica, database, f"{acme}/stopped", "--node=work", objects=objects)).stdout == b"begun\n"

    await eventually(runs, what="the log of a script that runs")
    await cluster.apply(a_run("stopped", acme, "stopped").cancelled())
    phases = {name: (await cluster.finished(name, acme))["status"]["phase"] for name in ("both", "stopped", "late")}
    assert phases == {"both": "Failed", "stopped": "Cancelled", "late": "Failed"}
    await until_nothing_is_left(cluster, acme)

    async def kept(run: str, node: str) -> bytes:
        return (await shown(replica, database, f"{acme}/{run}", "--node", node, objects=objects)).stdout

    assert await kept("both", "first") == forged.encode() + b"\n\nfrom the first\n"
    second = await kept("both", "second")
    assert len(second) <= LIMIT
    assert second.startswith(b"x\nx\n")
    assert second.endswith(b"x\nend\n")
    assert await kept("stopped", "clean") == b"cleaning\n"
    for run in ("stopped", "late"):
        # The shell tells, on standard error, of the program that was ended with it.
        said = [line for line in (await kept(run, "work")).splitlines() if line in (b"begun", b"ending", b"ended")]
        assert said == [b"begun", b"ending", b"ended"]
    sizes = database.rows(
        "SELECT s.log_bytes FROM headgate.workflow_execution_steps s JOIN headgate.workspaces w"
        " ON w.id = s.workspace_id AND w.name = %s WHERE s.node = 'first'",
        acme,
    )
    assert sizes == [(len(forged) + len("\n\nfrom the first\n"),)]
