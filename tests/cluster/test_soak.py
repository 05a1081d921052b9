"""SIGKILL at random moments over triggers of every kind: none is lost, none runs twice.

    make soak          300 kills over 1,000 triggers
    make test          the short form

The ledgers that judge are not the engine's: the API server's audit log says which Jobs and pods were created, and the
workload itself counts, over HTTP, each time that it runs. Postgres is asked by its superuser.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hack.cluster.provider import ClusterProvider
from headgate.cluster.resources import WORKFLOWS
from tests.builders import WorkflowBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.audit import created_jobs, created_pods
from tests.support.cluster import Cluster, condition, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import OperatorProcess
from tests.support.tally import Tally, tallying
from tests.support.waiting import eventually

KILLS = int(os.environ.get("HEADGATE_SOAK_KILLS", "30"))
TRIGGERS = int(os.environ.get("HEADGATE_SOAK_TRIGGERS", "48"))
SEED = int(os.environ.get("HEADGATE_SOAK_SEED", "20261125"))
AT_ONCE = 20
"""Requested runs that have not ended, at most: pods take their time."""
RUNS = """
    SELECT f.name, e.id::text, e.trigger_kind, e.trigger_key, e.status, e.parent_run::text, e.event ->> 'runId'
    FROM headgate.workflow_executions e
    JOIN headgate.workspaces w ON w.id = e.workspace_id AND w.name = %s
    JOIN headgate.workflows f ON f.workspace_id = e.workspace_id AND f.id = e.workflow_id
"""
COUNTING = "import os, urllib.request as r; r.urlopen(os.environ['TALLY'] + '/' + os.environ['HEADGATE_RUN'])"


@pytest.fixture
def tally(provider: ClusterProvider) -> Iterator[Tally]:
    with tallying(provider.host_address()) as tally:
        yield tally


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace for a Workspace with room for everything."""
    name = unique("soak")
    await cluster.apply(a_quota(name).with_compute(pods="300").with_limits(maxConcurrentRuns=500))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def workflows(cluster: Cluster, namespace: str, tally: Tally) -> list[WorkflowBuilder]:
    """One for every kind of trigger: asked for, by the clock, at the end of another, and called."""
    container = {
        "image": cluster.image,
        "command": ["python", "-c", COUNTING],
        "env": [{"name": "TALLY", "value": tally.url}],
        "resources": {"requests": {"cpu": "10m"}},
    }
    work = {"container": container}
    return [
        a_workflow("source", namespace).with_node("work", work),
        a_workflow("ticking", namespace)
        .with_schedule("each-minute", "* * * * *", missedRuns="All")
        .with_node("work", work, after=["each-minute"]),
        a_workflow("heard", namespace)
        .with_trigger("end", {"event": {"workflow": "source"}})
        .with_node("work", work, after=["end"]),
        a_workflow("called", namespace).with_node("work", work),
        a_workflow("caller", namespace).with_node("call", {"workflow": {"name": "called"}}),
    ]


async def ask(cluster: Cluster, namespace: str, database: TestDatabase) -> None:
    """Create WorkflowRuns, no more at once than pods can follow."""
    for number in range(TRIGGERS // 4):

        async def has_room() -> bool:
            return unended(database, namespace) <= AT_ONCE

        await eventually(has_room, within=300, every=0.2, what="the end of some runs")
        for workflow in ("source", "caller"):
            await cluster.create(a_run(f"{workflow}-{number}", namespace, workflow))


def tell(line: str) -> None:
    """Shown by ``make soak``, which captures nothing."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def unended(database: TestDatabase, namespace: str) -> int:
    return len(database.rows(f"{RUNS} WHERE e.finished_at IS NULL", namespace))


async def kill_again_and_again(operator: OperatorProcess, until: Callable[[], bool]) -> None:
    """At moments from right after its start to well into its work."""
    randomness = random.Random(SEED)
    kills = 0
    while kills < KILLS or not until():
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await asyncio.sleep(randomness.choice((0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)) * randomness.random())
        operator.kill()
        kills += 1
        if kills % 10 == 0:
            tell(f"{kills} kills")


async def test_nothing_is_lost_and_nothing_runs_twice(
    cluster: Cluster,
    acme: str,
    tally: Tally,
    new_operator: Callable[..., OperatorProcess],
    database: TestDatabase,
    audit_log: Path,
) -> None:
    operator = new_operator().start().wait_until_leading()
    await cluster.ready_workspace(a_workspace(acme).with_quota(acme))
    made = workflows(cluster, acme, tally)
    await cluster.apply(*made)
    for workflow in made:
        name = workflow.manifest()["metadata"]["name"]
        await cluster.until(WORKFLOWS, name, acme, lambda item: condition(item, "Ready").get("status") == "True")
    operator.kill()
    began, started = datetime.now(UTC), time.monotonic()
    asking = asyncio.create_task(ask(cluster, acme, database))

    await kill_again_and_again(operator, asking.done)

    await asking
    operator.start().wait_until_leading()
    await cluster.apply(made[1].with_spec(suspend=True))
    await cluster.until(WORKFLOWS, "ticking", acme, lambda item: condition(item, "Ready").get("reason") == "Suspended")
    ended = datetime.now(UTC)
    expected = {"source": TRIGGERS // 4, "heard": TRIGGERS // 4, "caller": TRIGGERS // 4, "called": TRIGGERS // 4}

    async def all_over() -> bool:
        found = Counter(row[0] for row in database.rows(RUNS, acme))
        return unended(database, acme) == 0 and all(found[name] >= count for name, count in expected.items())

    await eventually(all_over, within=300, every=1.0, what="the end of every run")
    minutes = (time.monotonic() - started) / 60
    operator.stop()

    runs = database.rows(RUNS, acme)
    judge(runs, expected, began, ended)
    with_pods = {run for name, run, *_ in runs if name != "caller"}
    jobs = created_jobs(audit_log, acme)
    assert {name: times for name, times in jobs.items() if times != 1} == {}, "a Job was created twice"
    assert created_pods(audit_log, acme) == len(with_pods), "not one pod for each run"
    assert tally.counts == Counter(with_pods), "a workload ran not once"
    tell(f"{len(runs)} triggers under {KILLS} kills in {minutes:.1f} min: {len(runs) / minutes:.0f} a minute")


def judge(runs: list[tuple[Any, ...]], expected: dict[str, int], began: datetime, ended: datetime) -> None:
    """Every trigger made one run, and every run succeeded."""
    assert {status for *_, status, _, _ in runs} == {"Succeeded"}
    found = Counter(name for name, *_ in runs)
    assert {name: found[name] for name in expected} == expected
    sources = {run for name, run, *_ in runs if name == "source"}
    callers = {run for name, run, *_ in runs if name == "caller"}
    assert Counter(event for name, *_, event in runs if name == "heard") == Counter(sources)
    assert Counter(parent for name, *_, parent, _ in runs if name == "called") == Counter(callers)
    ticks = [key for name, _, _, key, *_ in runs if name == "ticking"]
    assert len(set(ticks)) == len(ticks)
    passed = full_minutes(began, ended)
    assert passed - 1 <= len(ticks) <= passed + 1, f"{len(ticks)} ticks in {passed} minutes"


def full_minutes(began: datetime, ended: datetime) -> int:
    """Beginnings of minutes in the half-open time."""
    first = began.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return int((ended - first) / timedelta(minutes=1)) + 1
