"""Where logs lie, as recorded: once, counted against the workspace's storage, and without a word about the outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.cluster.cache import Cache
from headgate.cluster.resources import JOBS, PODS
from headgate.domain.step_log import log_path
from headgate.engine.types import StepLog
from headgate.objects.object_store import ObjectStore
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.workloads import Workloads
from tests.builders import a_workflow
from tests.component.world import World, one_node
from tests.support.waiting import eventually
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.letting import a_let_go
from tests.workload_builders import a_job, a_pod


@pytest.fixture(params=["file", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(f"file://{tmp_path}/objects" if request.param == "file" else "memory://")
    yield store
    store.close()


async def ended_run(world: World) -> UUID:
    """A run of one node that succeeded."""
    await world.given(one_node())
    run_id = await world.admit()
    await world.claim()
    await world.succeed(run_id)
    return run_id


def timeless(log: StepLog | None) -> StepLog | None:
    """What is told of a log but for when its attempt began."""
    return log and replace(log, started_at=None)


async def stored(world: World, workspace: str = "acme") -> int:
    return int((await world.usage(workspace))["storage_bytes"])


async def test_where_a_log_lies_is_recorded_and_its_bytes_count(world: World) -> None:
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    before = await stored(world)

    assert await world.engine.logs.record(ref, log_path(ref), 120, truncated=False)

    assert timeless(await world.engine.logs.of(ref.workspace_id, run_id, "work")) == StepLog(
        ref, NodePhase.SUCCEEDED, log_path(ref), 120, truncated=False
    )
    assert await stored(world) == before + 120


async def test_recording_it_again_changes_nothing(world: World) -> None:
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    before = await stored(world)

    assert await world.engine.logs.record(ref, log_path(ref), 120, truncated=False)
    assert await stored(world) == before + 120
    assert await world.engine.logs.record(ref, "elsewhere", 500, truncated=True)
    found = timeless(await world.engine.logs.of(ref.workspace_id, run_id, "work"))
    assert found is not None
    assert (found.path, found.size, found.truncated) == (log_path(ref), 120, False)


async def test_of_an_attempt_that_was_executed_again_the_last_log_is_noted_and_counted(world: World) -> None:
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    before = await stored(world)
    await world.engine.logs.record(ref, log_path(ref), 120, truncated=False)

    for _ in range(2):
        assert await world.engine.logs.record(ref, log_path(ref), 50, truncated=True, again=True)

    found = timeless(await world.engine.logs.of(ref.workspace_id, run_id, "work"))
    assert found is not None
    assert (found.path, found.size, found.truncated) == (log_path(ref), 50, True)
    assert await stored(world) == before + 50


async def test_where_the_last_log_finds_no_room_the_one_before_takes_none(world: World) -> None:
    await world.given_workspace(pot="team", maxStorageMB=1)
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    before = await stored(world)
    await world.engine.logs.record(ref, log_path(ref), 120, truncated=False, again=True)

    assert not await world.engine.logs.record(ref, log_path(ref), 1_000_001, truncated=False, again=True)

    found = timeless(await world.engine.logs.of(ref.workspace_id, run_id, "work"))
    assert found == StepLog(ref, NodePhase.SUCCEEDED, None, 0, truncated=True)
    assert await stored(world) == before
    assert (await world.pot("team"))["storage_bytes"] == before


async def test_of_many_who_record_it_at_once_one_counts_it(world: World) -> None:
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    before = await stored(world)

    async def all_wait() -> bool:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool((await world.rows(waiting))[0]["count"] == 8)

    # So that all of them have begun before one can go on.
    async with await psycopg.AsyncConnection.connect(world.superuser_url) as holder:
        await holder.execute("SELECT FROM headgate.workspace_usage FOR UPDATE")
        recording = [
            asyncio.create_task(world.another_engine().logs.record(ref, log_path(ref), 120, truncated=False))
            for _ in range(8)
        ]
        await eventually(all_wait, what="all who record wait")

    assert await asyncio.gather(*recording) == [True] * 8
    assert await stored(world) == before + 120


async def test_over_the_limit_the_log_is_cut_to_nothing_and_the_run_is_what_it_was(world: World) -> None:
    await world.given_workspace(maxStorageMB=1)
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    before = await stored(world)

    assert not await world.engine.logs.record(ref, log_path(ref), 1_000_001, truncated=False)
    assert not await world.engine.logs.record(ref, log_path(ref), 10, truncated=False), "recorded once"

    found = timeless(await world.engine.logs.of(ref.workspace_id, run_id, "work"))
    assert found == StepLog(ref, NodePhase.SUCCEEDED, None, 0, truncated=True)
    assert await world.phase(run_id) is RunPhase.SUCCEEDED
    assert await stored(world) == before


async def test_a_shared_pot_counts_it_too(world: World) -> None:
    await world.given_workspace(pot="team")
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    before = (await world.pot("team"))["storage_bytes"]

    await world.engine.logs.record(ref, log_path(ref), 120, truncated=False)

    assert (await world.pot("team"))["storage_bytes"] == before + 120


async def test_an_empty_log_has_no_path(world: World) -> None:
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")

    await world.engine.logs.record(ref, None, 0, truncated=False)

    found = timeless(await world.engine.logs.of(ref.workspace_id, run_id, "work"))
    assert found == StepLog(ref, NodePhase.SUCCEEDED, None, 0, truncated=False)


async def test_no_attempt_no_log(world: World) -> None:
    run_id = await ended_run(world)

    for ref in (world.ref(run_id, "work", attempt=2), world.ref(run_id, "other"), world.ref(UUID(int=7), "work")):
        assert not await world.engine.logs.record(ref, "x", 5, truncated=False)
        assert await world.engine.logs.of(ref.workspace_id, ref.run_id, ref.node, ref.attempt) is None


async def test_nodes_that_no_pod_executes_are_known_to_have_no_log(world: World) -> None:
    world.expressions.values["1 == 1"] = True
    await world.given(
        a_workflow()
        .with_node("work")
        .with_condition("enough", "1 == 1", after=["work"])
        .with_node("ask", {"approval": {}}, after=["enough"])
        .with_node("fetch", {"http": {"url": "https://example.com"}}, after=["enough"])
    )
    run_id = await world.admit()

    logless = await world.engine.logs.logless(world.ids["acme"], run_id)

    assert logless >= {"enough", "ask"}
    assert not logless & {"work", "fetch"}


async def test_another_workspace_sees_none_of_it(world: World) -> None:
    run_id = await ended_run(world)
    ref = world.ref(run_id, "work")
    await world.engine.logs.record(ref, log_path(ref), 5, truncated=False)
    other = await world.given_workspace("other")

    assert await world.engine.logs.of(other, run_id, "work") is None


async def test_every_attempt_has_its_own_and_the_latest_is_meant(world: World) -> None:
    await world.given(one_node(retry={"limit": 1}).with_node("after", after=["work"]))
    run_id = await world.admit()
    await world.claim()
    await world.fail(run_id)
    world.clock.advance(minutes=10)
    await world.claim()
    await world.succeed(run_id, attempt=2)
    for attempt in (1, 2):
        ref = world.ref(run_id, "work", attempt)
        await world.engine.logs.record(ref, log_path(ref), 5, truncated=False)

    latest = await world.engine.logs.of(world.ids["acme"], run_id, "work")
    first = await world.engine.logs.of(world.ids["acme"], run_id, "work", 1)
    of_run = await world.engine.logs.of_run(world.ids["acme"], run_id)

    assert latest is not None
    assert first is not None
    assert (latest.ref.attempt, first.ref.attempt, first.phase) == (2, 1, NodePhase.FAILED)
    assert [(log.ref.node, log.ref.attempt, log.size) for log in of_run] == [("work", 2, 5), ("after", 1, None)]


async def test_what_is_settled_has_its_end_and_its_log_recorded(world: World) -> None:
    await world.given(one_node())
    runs = [await world.admit() for _ in range(4)]
    await world.claim()
    kept, empty, unkept, open_ = (world.ref(run, "work") for run in runs)
    for ref in (kept, empty, unkept):
        await world.succeed(ref.run_id)
    await world.engine.logs.record(kept, log_path(kept), 5, truncated=False)
    await world.engine.logs.record(empty, None, 0, truncated=False)
    unknown = (world.ref(runs[0], "work", attempt=2), world.ref(runs[0], "other"), world.ref(UUID(int=7), "work"))
    asked = [kept, empty, unkept, open_, *unknown]

    logs, workspace_id = world.engine.logs, world.ids["acme"]
    assert await logs.settled(workspace_id, asked, with_logs=True) == {kept, empty}
    assert await logs.settled(workspace_id, asked, with_logs=False) == {kept, empty, unkept}
    other = await world.given_workspace("other")
    assert await logs.settled(other, [replace(ref, workspace_id=other) for ref in asked], with_logs=False) == set()


async def test_from_the_pod_into_the_store_and_into_the_row(world: World, objects: ObjectStore) -> None:
    await world.given(one_node())
    run_id = await world.admit()
    [task] = await world.claim()
    await world.succeed(run_id)
    kube, cache = FakeKube(), Cache()
    job = a_job(task).complete()
    pod = a_pod(job).succeeded().manifest()
    cache.upsert(PODS, kube.put(PODS, pod))
    kube.logs[pod["metadata"]["name"]] = b"line\n" * 1000
    live = kube.put(JOBS, job.manifest())
    cache.upsert(JOBS, live)
    workloads = Workloads(kube, cache, ttl_seconds=60)
    keeper = LogKeeper(
        kube,
        cache,
        world.engine,
        objects,
        workloads,
        a_let_go(kube, cache, workloads, world.engine),
        CollectorRegistry(),
        limit=1000,
        monotonic=time.monotonic,
    )
    key = JOBS.key(live["metadata"]["name"], live["metadata"]["namespace"])
    keeper.keep(key, live, task.ref)

    await keeper.once(key)

    found = timeless(await world.engine.logs.of(world.ids["acme"], run_id, "work"))
    assert found is not None
    assert found.path is not None
    assert found.truncated
    content = await objects.get(found.path)
    assert len(content) == found.size
    assert content.startswith(b"line\n")
    assert content.endswith(b"line\n")
    assert b"5000 bytes" in content


@pytest.mark.parametrize(
    ("died", "known"),
    [("before the end was recorded", False), ("before its log was", False), ("after that", True)],
)
async def test_whenever_an_operator_dies_the_next_one_knows_which_jobs_are_let_go(
    world: World, died: str, known: bool
) -> None:
    await world.given(one_node())
    run_id = await world.admit()
    [task] = await world.claim()
    kube, cache = FakeKube(), Cache()
    live = kube.put(JOBS, a_job(task).complete().manifest())
    cache.upsert(JOBS, live)
    if died != "before the end was recorded":
        await world.succeed(run_id)
    if died == "after that":
        await world.engine.logs.record(task.ref, None, 0, truncated=False)

    let_go = a_let_go(kube, cache, Workloads(kube, cache, ttl_seconds=60), world.another_engine())
    await let_go.ask(task.ref.workspace_id)

    assert let_go.has(JOBS.key(live["metadata"]["name"], live["metadata"]["namespace"]), live) is known
