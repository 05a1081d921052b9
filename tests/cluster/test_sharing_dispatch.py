"""A replica that does not lead makes Jobs too, and is killed at it: nothing is lost, and nothing doubled.

The judge is the API server's audit log, and Postgres as its superuser sees it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest

from headgate.cluster.resources import JOBS
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.audit import created_jobs, created_pods, deleted_jobs
from tests.support.cluster import Cluster, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import OperatorProcess

ROUNDS = 3
FAN_OUT = 20
CLAIMED = "SELECT count(*) FROM headgate.tasks WHERE namespace = %s AND holder = 'helper' AND job_uid IS NULL"
JOBS_MADE = 'headgate_kubernetes_requests_total{code="201",resource="jobs",verb="POST"}'


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace for a Workspace with room for everything at once."""
    name = unique("share")
    await cluster.apply(a_quota(name).with_compute(pods="200").with_limits(maxConcurrentRuns=200))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def kill_when_it_has_claimed(helper: OperatorProcess, database: TestDatabase, namespace: str) -> int:
    """Kill the helper between a claim and the record of its Jobs. How many attempts it held."""
    deadline = time.monotonic() + 60
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            held = connection.execute(CLAIMED, [namespace]).fetchone()
            if held is not None and held[0]:
                helper.kill()
                left = connection.execute(CLAIMED, [namespace]).fetchone()
                return int(left[0]) if left is not None else 0
    raise AssertionError("the helper claims nothing")


async def test_a_helper_that_is_killed_between_claim_and_record_loses_and_doubles_nothing(
    cluster: Cluster, acme: str, new_operator: Callable[..., OperatorProcess], database: TestDatabase, audit_log: Path
) -> None:
    # A short lease of what is claimed, and a long one of leadership, so that nobody else leads.
    leases = {"HEADGATE_CLAIM_SECONDS": "5", "HEADGATE_LEASE_DURATION_SECONDS": "60"}
    new_operator("leader", HEADGATE_CLAIM_BATCH="1", **leases).start().wait_until_leading()
    helper = new_operator("helper", HEADGATE_CLAIM_BATCH="5", **leases).start()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    container = {"image": cluster.image, "command": ["true"], "resources": {"requests": {"cpu": "10m"}}}
    fan_out = a_workflow("fan-out", acme)
    for number in range(FAN_OUT):
        fan_out = fan_out.with_node(f"n{number:02d}", {"container": container})
    await cluster.apply(fan_out)

    abandoned = 0
    for number in range(ROUNDS):
        await cluster.apply(a_run(f"round-{number}", acme, "fan-out"))
        abandoned += await asyncio.to_thread(kill_when_it_has_claimed, helper, database, acme)
        helper.start()
        done = await cluster.finished(f"round-{number}", acme, within=180)
        assert done["status"]["phase"] == "Succeeded", done["status"]
    await cluster.apply(a_run("undisturbed", acme, "fan-out"))
    done = await cluster.finished("undisturbed", acme, within=180)
    assert done["status"]["phase"] == "Succeeded", done["status"]

    assert abandoned > 0, "the helper was never killed while it held an attempt"
    assert helper.metric(JOBS_MADE) > 0, "the helper made no Job"
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
