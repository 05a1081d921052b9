"""SIGKILL in the middle of fan-outs and ticks: every node ran to its record once, no Job twice, every tick one run.

The judges are not the engine's own words: the API server's audit log says which Jobs were created, a counter that the
workload writes says how often containers ran, and Postgres is asked by its superuser.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hack.record import NAMESPACE
from headgate.cluster.resources import JOBS, LEASES, PODS, WORKFLOW_RUNS, WORKFLOWS
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.audit import created_jobs, created_pods, deleted_jobs
from tests.support.cluster import Cluster, condition, is_ready, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually, until

FAN_OUT = 20
KILLS = 20
MINUTES = 2
"""Turns of the minute while it is killed, at which schedules tick."""
TICKING = 5
SEED = 20261123

RUNS = """
    FROM headgate.workflow_executions e
    JOIN headgate.workspaces w ON w.id = e.workspace_id AND w.name = %s
    JOIN headgate.workflows f ON f.workspace_id = e.workspace_id AND f.id = e.workflow_id
    WHERE true
"""
RUNS_WITH_STEPS = RUNS.replace(
    "WHERE",
    "JOIN headgate.workflow_execution_steps s ON s.workspace_id = e.workspace_id AND s.execution_id = e.id WHERE",
)


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace for a Workspace with room for everything at once."""
    name = unique("crash")
    await cluster.apply(a_quota(name).with_compute(pods="200").with_limits(maxConcurrentRuns=200))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def rows(database: TestDatabase, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What Postgres holds, seen past row-level security."""
    with psycopg.connect(database.superuser_url) as connection:
        return connection.execute(statement, parameters).fetchall()


async def kill_at_random_moments(
    operator: OperatorProcess, randomness: random.Random, until: Callable[[], bool]
) -> None:
    """Kill and restart it, at moments from right after its start to well into its work."""
    kills = 0
    while kills < KILLS or not until():
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await asyncio.sleep(randomness.choice((0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)) * randomness.random())
        operator.kill()
        kills += 1


async def test_a_leader_whose_lease_is_anothers_ends_and_leads_again_when_that_one_is_gone(
    cluster: Cluster, new_operator: Callable[..., OperatorProcess]
) -> None:
    operator = new_operator(HEADGATE_LEASE_DURATION_SECONDS="15").start().wait_until_leading()
    before = len(operator.log_lines())
    spec = {"holderIdentity": "another", "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}

    await cluster.kube.merge_patch(LEASES, "headgate-operator", NAMESPACE, {"spec": spec})

    def leads_again() -> bool:
        said = iter([line["message"] for line in operator.log_lines()[before:]])
        in_this_order = ("leadership is lost; ending", "another one leads", "leading")
        return all(each in said for each in in_this_order) and operator.leads()

    await asyncio.to_thread(until, leads_again, what="its second time")
    assert operator.stop() == 0


async def test_kills_lose_nothing_and_double_nothing(
    cluster: Cluster, acme: str, new_operator: Callable[..., OperatorProcess], database: TestDatabase, audit_log: Path
) -> None:
    count = "echo ran; exit 0"
    fan_out = a_workflow("fan-out", acme).with_node(
        "first", {"container": {"image": cluster.image, "command": ["true"]}}
    )
    for number in range(FAN_OUT):
        container = {"image": cluster.image, "command": ["sh", "-c", count], "resources": {"requests": {"cpu": "10m"}}}
        fan_out = fan_out.with_node(f"n{number:02d}", {"container": container}, after=["first"])
    ticking = [
        a_workflow(f"tick-{number}", acme)
        .with_schedule("each-minute", "* * * * *", missedRuns="All")
        .with_node("tick", {"container": {"image": cluster.image, "command": ["true"]}}, after=["each-minute"])
        for number in range(TICKING)
    ]
    operator = new_operator().start().wait_until_leading()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    applied = datetime.now(UTC)
    await cluster.apply(*ticking, fan_out)
    for workflow in (*ticking, fan_out):
        await cluster.until(WORKFLOWS, workflow.manifest()["metadata"]["name"], acme, is_ready)
    ready = datetime.now(UTC)
    await cluster.apply(a_run("fan-out", acme, "fan-out"))
    await asyncio.sleep(1)
    operator.kill()
    randomness = random.Random(SEED)

    await kill_at_random_moments(operator, randomness, lambda: _ticks_between(ready, datetime.now(UTC)) >= MINUTES)

    operator.start().wait_until_leading()
    done = await cluster.finished("fan-out", acme, within=180)
    assert done["status"]["phase"] == "Succeeded", done["status"]

    def ticks() -> Counter[str]:
        keys = [key for (key,) in rows(database, f"SELECT e.trigger_key {RUNS} AND e.trigger_kind = 'schedule'", acme)]
        assert len(set(keys)) == len(keys), "a tick has two runs"
        return Counter(key.split(":")[1] for key in keys)

    fewest = _ticks_between(ready, datetime.now(UTC))

    async def none_is_missing() -> bool:
        told = ticks()
        return len(told) == TICKING and min(told.values()) >= fewest

    await eventually(none_is_missing, every=0.5, what=f"{fewest} ticks of each schedule")
    for workflow in ticking:
        await cluster.apply(workflow.with_spec(suspend=True))
        name = workflow.manifest()["metadata"]["name"]
        await cluster.until(WORKFLOWS, name, acme, lambda item: condition(item, "Ready").get("reason") == "Suspended")
    ended = datetime.now(UTC)

    async def all_over() -> bool:
        return rows(database, f"SELECT 1 {RUNS} AND e.finished_at IS NULL", acme) == []

    await eventually(all_over, every=0.5, what="the end of all scheduled runs")
    operator.stop()

    live = {job["metadata"]["name"] for job in await cluster.list(JOBS, acme)}
    jobs = created_jobs(audit_log, acme)
    assert {name: times for name, times in jobs.items() if times != 1} == {}, "a Job was created twice"
    assert jobs.keys() <= live, "a Job is gone"
    assert deleted_jobs(audit_log, acme) == []
    recorded = rows(database, f"SELECT f.name, s.phase {RUNS_WITH_STEPS} AND s.attempt > 0", acme)
    assert len(live) == len(recorded), "an attempt without a Job, or a Job without an attempt"
    assert {phase for _, phase in recorded} == {"Succeeded"}
    assert sum(workflow == "fan-out" for workflow, _ in recorded) == FAN_OUT + 1
    ran = [pod for pod in await cluster.list(PODS, acme) if pod["status"]["phase"] == "Succeeded"]
    assert len(ran) == len(live), "a container did not run to its end"
    assert created_pods(audit_log, acme) == len(live), "a container ran more often than once"
    assert max(ticks().values()) <= _ticks_between(applied, ended), ticks()
    assert rows(database, "SELECT 1 FROM headgate.tasks WHERE namespace = %s", acme) == [], "an attempt is still open"
    assert (await cluster.get(WORKFLOW_RUNS, "fan-out", acme) or {})["status"][
        "progress"
    ] == f"{FAN_OUT + 1}/{FAN_OUT + 1}"


def _ticks_between(began: datetime, ended: datetime) -> int:
    """Full minutes in the half-open time."""
    first = began.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return int((ended - first) / timedelta(minutes=1)) + 1


async def test_another_replica_takes_over_when_the_leader_is_killed(
    cluster: Cluster, acme: str, new_operator: Callable[..., OperatorProcess]
) -> None:
    leader, standby = (new_operator(f"replica-{each}", HEADGATE_LEASE_DURATION_SECONDS="15") for each in "ab")
    leader.start().wait_until_leading()
    standby.start()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    assert standby.running
    assert not standby.leads()

    leader.kill()

    await asyncio.to_thread(standby.wait_until_leading)
    work = a_workflow("after", acme).with_node("x", {"container": {"image": cluster.image, "command": ["true"]}})
    await cluster.apply(work, a_run("after", acme, "after"))
    assert (await cluster.finished("after", acme))["status"]["phase"] == "Succeeded"
