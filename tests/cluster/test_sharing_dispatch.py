"""A replica that does not lead makes Jobs too, and is killed at it: nothing is lost, and nothing doubled.

The judge is the API server's audit log, and Postgres as its superuser sees it.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from headgate.api.workflow_run import RunPhase
from headgate.cluster.resources import JOBS, WORKFLOWS
from headgate.engine.engine import Engine
from headgate.engine.types import Admitted, RunRequest, RunView, TriggerKind
from headgate.store.database import Database
from tests.builders import a_quota, a_workflow, a_workspace
from tests.component.world import Evaluations
from tests.support.audit import created_jobs, created_pods, deleted_jobs
from tests.support.cluster import Cluster, is_ready, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import PATIENCE_SECONDS, eventually

ROUNDS = 3
FAN_OUT = 20
CLAIMED = "SELECT 1 FROM headgate.tasks WHERE namespace = %s AND holder = 'helper' AND job_uid IS NULL FOR UPDATE"
JOBS_MADE = 'headgate_kubernetes_requests_total{code="201",resource="jobs",verb="POST"}'


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace for a Workspace with room for everything at once."""
    name = unique("share")
    await cluster.apply(a_quota(name).with_compute(pods="200").with_limits(maxConcurrentRuns=200))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


@pytest.fixture
async def engine(database: TestDatabase) -> AsyncIterator[Engine]:
    """Another replica's engine, by which the test asks for runs while the leader stands still."""
    opened = Database(database.url, pool_size=2)
    yield Engine(opened, Evaluations(), clock=lambda: datetime.now(UTC))
    await opened.close()


@contextmanager
def standing_still(process: OperatorProcess) -> Iterator[None]:
    """The process does nothing meanwhile, and knows nothing of it."""
    process.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.process.send_signal(signal.SIGCONT)


def kill_when_it_has_claimed(helper: OperatorProcess, database: TestDatabase, namespace: str) -> int:
    """Kill the helper between a claim and the record of its Jobs. How many attempts it held."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(database.superuser_url) as connection:
        # What is seen is locked, so that the helper records none of it before it is killed.
        while not (held := connection.execute(CLAIMED, [namespace]).fetchall()):
            connection.rollback()
            assert time.monotonic() < deadline, "the helper claims nothing"
        helper.kill()
    return len(held)


async def test_a_helper_that_is_killed_between_claim_and_record_loses_and_doubles_nothing(
    cluster: Cluster,
    acme: str,
    new_operator: Callable[..., OperatorProcess],
    engine: Engine,
    database: TestDatabase,
    audit_log: Path,
) -> None:
    # A short lease of what is claimed, and a long one of leadership, so that nobody else leads.
    leases = {"HEADGATE_CLAIM_SECONDS": "5", "HEADGATE_LEASE_DURATION_SECONDS": "60", "HEADGATE_CLAIM_BATCH": "5"}
    leader = new_operator("leader", **leases).start().wait_until_leading()
    helper = new_operator("helper", **leases).start()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    container = {"image": cluster.image, "command": ["true"], "resources": {"requests": {"cpu": "10m"}}}
    fan_out = a_workflow("fan-out", acme)
    for number in range(FAN_OUT):
        fan_out = fan_out.with_node(f"n{number:02d}", {"container": container})
    await cluster.apply(fan_out)
    await cluster.until(WORKFLOWS, "fan-out", acme, is_ready)
    workspace_id = await engine.workspaces.id_of(acme)
    assert workspace_id is not None

    async def ask(key: str) -> UUID:
        request = RunRequest(workspace_id, acme, "fan-out", TriggerKind.RESOURCE, key)
        answer, _ = await engine.admit(request)
        assert isinstance(answer, Admitted), answer
        return answer.run_id

    async def succeeded(run: UUID) -> None:
        async def over() -> RunView | None:
            view = await engine.run_view(workspace_id, run)
            return view if view is not None and view.phase.is_final else None

        done = await eventually(over, within=180, every=0.5, what="the end of the run")
        assert done.phase is RunPhase.SUCCEEDED, done

    async def helper_answers() -> bool:
        return await asyncio.to_thread(helper.answers, "/healthz") == 200

    async def all_made() -> bool:
        return helper.metrics().get(JOBS_MADE, 0) >= made_before + FAN_OUT

    abandoned = 0
    for number in range(ROUNDS):
        with standing_still(leader):
            run = await ask(f"round-{number}")
            abandoned += await asyncio.to_thread(kill_when_it_has_claimed, helper, database, acme)
        helper.start()
        await succeeded(run)
    await eventually(helper_answers, what="the helper, which has just started")
    made_before = helper.metrics().get(JOBS_MADE, 0)
    with standing_still(leader):
        run = await ask("undisturbed")
        # A leader that stopped in the midst of a claim has the turn until Postgres ends its transaction, after 30 s.
        await eventually(all_made, what="Jobs of the helper while the leader stands still")
    await succeeded(run)

    assert abandoned > 0, "the helper was never killed while it held an attempt"
    assert leader.leads()
    assert not helper.leads()
    live = {job["metadata"]["name"] for job in await cluster.list(JOBS, acme)}
    jobs = created_jobs(audit_log, acme)
    assert {name: times for name, times in jobs.items() if times != 1} == {}, "a Job was created twice"
    assert len(live) == (ROUNDS + 1) * FAN_OUT, "an attempt without a Job, or a Job without an attempt"
    assert jobs.keys() <= live, "a Job is gone"
    assert deleted_jobs(audit_log, acme) == []
    assert created_pods(audit_log, acme) == len(live), "a container ran more often than once"
    with psycopg.connect(database.superuser_url) as connection:
        open_tasks = connection.execute("SELECT 1 FROM headgate.tasks WHERE namespace = %s", [acme]).fetchall()
    assert open_tasks == [], "an attempt is still open"
