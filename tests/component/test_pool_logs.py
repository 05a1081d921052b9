"""What attempts in pools print: recorded with their ends, and moved into the object store from there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.domain.runner_task import KINDS
from headgate.domain.step_log import CutLog, log_path
from headgate.engine.types import LeaseLost, Outcome
from headgate.objects.object_store import ObjectStore
from headgate.reconcile.pool_logs import GIVE_UP, PoolLogs
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.workloads import Workloads
from headgate.store import pool_logs
from tests.builders import a_workflow
from tests.component.world import World
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.letting import a_let_go

LEASE = timedelta(seconds=15)
PRINTED = CutLog(b"hello\n", truncated=False)


class Moving:
    """Who moves logs, with an object store that can be taken away."""

    def __init__(self, world: World, folder: Path, *, limit: int = 1024) -> None:
        self.world = world
        self.folder = folder
        self.objects = ObjectStore(f"file://{folder}/objects")
        self.registry = CollectorRegistry()
        kube, cache = FakeKube(), Cache()
        workloads = Workloads(kube, cache, ttl_seconds=60)
        keeper = LogKeeper(
            kube,
            cache,
            world.engine,
            self.objects,
            workloads,
            a_let_go(kube, cache, workloads, world.engine),
            self.registry,
            limit=limit,
            monotonic=lambda: 0.0,
        )
        self.logs = PoolLogs(world.engine.logs, keeper, wall=world.clock)

    def counted(self, result: str) -> float | None:
        return self.registry.get_sample_value("headgate_step_logs_total", {"result": result})

    async def waiting(self) -> int:
        return len(await self.world.engine.logs.waiting(100))


@pytest.fixture
async def moving(world: World, tmp_path: Path) -> AsyncIterator[Moving]:
    made = Moving(world, tmp_path)
    yield made
    made.objects.close()


async def ended(world: World, printed: CutLog | None = PRINTED, *, holder: str = "pool-1/uid") -> UUID:
    """A run of a script that a runner of a pool executed."""
    await world.given(a_workflow().with_node("work", {"script": {"language": "shell", "source": "true"}}))
    run = await world.admit()
    tasks = world.engine.runner_tasks
    task, _ = await tasks.claim(world.ids["acme"], "acme", None, "pool-1/uid", LEASE)
    assert task is not None
    await tasks.complete(task.ref, "acme", Outcome(succeeded=True), holder, LEASE, KINDS, printed)
    return run


async def test_what_was_printed_becomes_the_attempt_s_log(world: World, moving: Moving) -> None:
    run = await ended(world)

    await moving.logs.once()

    ref = world.ref(run, "work")
    kept = await world.engine.logs.of(ref.workspace_id, run, "work")
    assert kept is not None
    assert (kept.path, kept.size, kept.truncated) == (log_path(ref), 6, False)
    assert await moving.objects.get(log_path(ref)) == PRINTED.content
    assert (await moving.waiting(), moving.counted("kept")) == (0, 1)


async def test_what_was_cut_or_is_longer_than_what_is_kept_says_so(world: World, tmp_path: Path) -> None:
    moving = Moving(world, tmp_path, limit=300)
    cut = await ended(world, CutLog(b"hello\n", truncated=True))
    long = await ended(world, CutLog(b"x" * 1000, truncated=False))

    await moving.logs.once()

    for run, most in ((cut, 6), (long, 300)):
        kept = await world.engine.logs.of(world.ids["acme"], run, "work")
        assert kept is not None
        assert kept.truncated
        assert 0 < (kept.size or 0) <= most
    moving.objects.close()


async def test_an_end_that_is_not_recorded_leaves_no_log(world: World, moving: Moving) -> None:
    with pytest.raises(LeaseLost):
        await ended(world, holder="somebody/else")
    await ended(world, None)
    await ended(world, CutLog(b"", truncated=False))

    assert await moving.waiting() == 0


async def test_while_the_object_store_is_away_it_waits_and_is_given_up_at_last(world: World, moving: Moving) -> None:
    (moving.folder / "objects").touch()
    run = await ended(world)
    await moving.logs.once()
    assert (await moving.waiting(), moving.counted("lost")) == (1, None)

    world.clock.now += GIVE_UP
    await moving.logs.once()
    assert (await moving.waiting(), moving.counted("lost")) == (0, 1)
    kept = await world.engine.logs.of(world.ids["acme"], run, "work")
    assert kept is not None
    assert kept.size is None


async def test_moving_it_again_after_a_crash_counts_its_bytes_once(world: World, moving: Moving) -> None:
    run = await ended(world)
    ref = world.ref(run, "work")
    await moving.objects.put(log_path(ref), PRINTED.content)
    await world.engine.logs.record(ref, log_path(ref), 6, truncated=False, again=True)
    [before] = await world.rows("SELECT storage_bytes FROM headgate.workspace_usage")

    await moving.logs.once()

    assert await world.rows("SELECT storage_bytes FROM headgate.workspace_usage") == [before]


async def test_a_workspace_has_no_more_waiting_than_it_may(
    world: World, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_logs, "MOST_WAITING", 2)
    for _ in range(3):
        await ended(world)

    assert await moving.waiting() == 2


async def test_a_retired_workspace_leaves_nothing_to_be_moved(world: World, moving: Moving) -> None:
    await ended(world)
    await world.engine.workspaces.retire("acme")

    await moving.logs.once()

    assert await moving.waiting() == 0
