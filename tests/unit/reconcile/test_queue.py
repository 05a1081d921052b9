from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from headgate.cluster.errors import ApiError, Unreachable
from headgate.reconcile.queue import LONGEST_BACKOFF_SECONDS, QueueMetrics, WorkQueue, backoff
from tests.unit.cluster.virtual_time import VirtualTimeLoop, in_virtual_time, now, settle

Body = Callable[[str], Awaitable[None]]
CONFLICT = ApiError(409, "Conflict", "changed meanwhile")


class Reconciler:
    """Notes when it is called, and then does what the test says."""

    def __init__(self, body: Body | None = None) -> None:
        self.body = body
        self.calls: list[tuple[str, float]] = []

    async def __call__(self, key: str) -> None:
        self.calls.append((key, now()))
        if self.body is not None:
            await self.body(key)

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.calls]

    def times(self, key: str = "acme") -> list[float]:
        """Seconds between the calls for the key."""
        moments = [moment for called, moment in self.calls if called == key]
        return [round(later - earlier, 6) for earlier, later in itertools.pairwise(moments)]


def failing(times: int, error: Exception = CONFLICT, only: str = "acme") -> Body:
    """Fails so many times, then succeeds."""
    left = times

    async def body(key: str) -> None:
        nonlocal left
        if key == only and left > 0:
            left -= 1
            raise error

    return body


def a_queue(reconcile: Body, registry: CollectorRegistry | None = None) -> WorkQueue[str]:
    metrics = QueueMetrics.register(registry or CollectorRegistry())
    return WorkQueue(reconcile, lambda key: f"kind-of-{key}", metrics, now)


@asynccontextmanager
async def working(queue: WorkQueue[str], workers: int = 4) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(workers))
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@in_virtual_time
async def test_a_key_that_is_added_several_times_is_reconciled_once() -> None:
    reconciler = Reconciler()
    queue = a_queue(reconciler)
    for key in ("acme", "globex", "acme", "acme"):
        queue.add(key)

    async with working(queue):
        await settle()

    assert reconciler.keys == ["acme", "globex"]


@in_virtual_time
async def test_a_key_that_is_added_after_its_reconciliation_is_reconciled_again() -> None:
    reconciler = Reconciler()
    queue = a_queue(reconciler)

    async with working(queue):
        for _ in range(2):
            queue.add("acme")
            await settle()

    assert reconciler.keys == ["acme", "acme"]


@in_virtual_time
async def test_a_key_that_changes_while_it_is_reconciled_is_reconciled_once_more_afterwards() -> None:
    done = asyncio.Event()

    async def body(_: str) -> None:
        await done.wait()

    reconciler = Reconciler(body)
    queue = a_queue(reconciler)

    async with working(queue):
        queue.add("acme")
        await settle()
        for _ in range(3):
            queue.add("acme")
        await settle()
        assert reconciler.keys == ["acme"], "no two workers have the same key"
        done.set()
        await settle()

    assert reconciler.keys == ["acme", "acme"]


@in_virtual_time
async def test_as_many_keys_are_worked_on_at_once_as_there_are_workers() -> None:
    async def body(_: str) -> None:
        await asyncio.sleep(10)

    reconciler = Reconciler(body)
    queue = a_queue(reconciler)
    for key in ("a", "b", "c"):
        queue.add(key)

    async with working(queue, workers=2):
        await asyncio.sleep(9)
        assert reconciler.keys == ["a", "b"]
        await asyncio.sleep(2)

    assert reconciler.keys == ["a", "b", "c"]


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.1), (2, 0.2), (3, 0.4), (9, 25.6), (10, 51.2), (11, 60.0)])
def test_the_delay_doubles_with_every_failure(failures: int, seconds: float) -> None:
    assert backoff(failures) == pytest.approx(seconds)


@given(st.integers(1, 10**9))
def test_the_delay_never_exceeds_a_minute(failures: int) -> None:
    assert 0 < backoff(failures) <= backoff(failures + 1) <= LONGEST_BACKOFF_SECONDS


@in_virtual_time
async def test_a_failure_is_repeated_with_growing_delays() -> None:
    reconciler = Reconciler(failing(4))
    queue = a_queue(reconciler)
    queue.add("acme")

    async with working(queue):
        await asyncio.sleep(600)

    assert reconciler.times() == [0.1, 0.2, 0.4, 0.8]


@in_virtual_time
async def test_success_resets_the_delays() -> None:
    reconciler = Reconciler(failing(3))
    queue = a_queue(reconciler)
    queue.add("acme")

    async with working(queue):
        await asyncio.sleep(600)
        reconciler.calls.clear()
        reconciler.body = failing(1)
        queue.add("acme")
        await asyncio.sleep(600)

    assert reconciler.times() == [0.1]


@pytest.mark.parametrize("error", [CONFLICT, Unreachable("away"), KeyError("spec"), RuntimeError("bug")], ids=str)
def test_one_key_that_fails_does_not_stop_others(error: Exception) -> None:
    @in_virtual_time
    async def scenario() -> None:
        reconciler = Reconciler(failing(1_000, error))
        queue = a_queue(reconciler)
        queue.add("acme")
        async with working(queue, workers=1):
            await asyncio.sleep(5)
            queue.add("globex")
            await settle()
            assert reconciler.keys.count("globex") == 1
            assert reconciler.keys.count("acme") > 3

    scenario()


@in_virtual_time
async def test_a_change_of_a_failing_key_is_looked_at_without_delay() -> None:
    reconciler = Reconciler(failing(8))
    queue = a_queue(reconciler)
    queue.add("acme")

    async with working(queue):
        await asyncio.sleep(20)
        before = len(reconciler.calls)
        queue.add("acme")
        await settle()

    assert len(reconciler.calls) == before + 1


@in_virtual_time
async def test_a_key_can_be_added_for_later() -> None:
    reconciler = Reconciler()
    queue = a_queue(reconciler)
    start = now()

    async with working(queue):
        queue.add_after("acme", 30)
        await asyncio.sleep(100)

    assert reconciler.calls == [("acme", start + 30)]


@pytest.mark.parametrize("wishes", [(30, 10, 20), (10, 20, 30), (30, 20, 10)])
def test_of_several_wishes_for_later_the_earliest_counts(wishes: tuple[float, ...]) -> None:
    @in_virtual_time
    async def scenario() -> None:
        reconciler = Reconciler()
        queue = a_queue(reconciler)
        start = now()
        async with working(queue):
            for seconds in wishes:
                queue.add_after("acme", seconds)
                await settle()
            await asyncio.sleep(100)
        assert reconciler.calls == [("acme", start + 10)]

    scenario()


@in_virtual_time
async def test_once_a_wish_was_fulfilled_the_next_one_counts() -> None:
    reconciler = Reconciler()
    queue = a_queue(reconciler)

    async with working(queue):
        queue.add_after("acme", 10)
        await asyncio.sleep(15)
        queue.add_after("acme", 10)
        await asyncio.sleep(15)

    assert reconciler.times() == [15]


@in_virtual_time
async def test_a_wish_for_the_past_is_fulfilled_now() -> None:
    reconciler = Reconciler()
    queue = a_queue(reconciler)
    start = now()

    async with working(queue):
        queue.add_after("acme", -5)
        await settle()

    assert reconciler.calls == [("acme", start)]


@in_virtual_time
async def test_keys_for_later_come_in_the_order_of_their_times() -> None:
    reconciler = Reconciler()
    queue = a_queue(reconciler)

    async with working(queue, workers=1):
        for key, seconds in (("c", 3), ("a", 1), ("b", 2)):
            queue.add_after(key, seconds)
        await asyncio.sleep(10)

    assert reconciler.keys == ["a", "b", "c"]


@in_virtual_time
async def test_a_wish_that_comes_due_during_the_reconciliation_is_not_lost() -> None:
    async def slow(key: str) -> None:
        if len(reconciler.calls) == 1:
            queue.add_after(key, 1)
            await asyncio.sleep(5)

    reconciler = Reconciler(slow)
    queue = a_queue(reconciler)
    queue.add("acme")

    async with working(queue):
        await asyncio.sleep(60)

    assert reconciler.times() == [5]


@in_virtual_time
async def test_a_reconciliation_of_more_than_five_minutes_is_overdue() -> None:
    async def stuck(key: str) -> None:
        await asyncio.sleep(400 if key == "acme" else 1)

    queue = a_queue(Reconciler(stuck))
    queue.add("acme")
    queue.add("globex")

    async with working(queue):
        await asyncio.sleep(299)
        assert queue.overdue() == ()
        await asyncio.sleep(2)
        assert queue.overdue() == ("acme",)
        await asyncio.sleep(100)
        assert queue.overdue() == ()


@in_virtual_time
async def test_it_is_idle_when_nothing_is_queued_or_under_way() -> None:
    async def body(_: str) -> None:
        await asyncio.sleep(5)

    queue = a_queue(Reconciler(body))
    assert queue.idle

    queue.add("acme")
    assert not queue.idle

    async with working(queue):
        await asyncio.sleep(1)
        assert not queue.idle
        queue.add_after("acme", 60)
        await asyncio.sleep(5)
        assert queue.idle


@in_virtual_time
async def test_it_reports_what_waits_and_what_failed() -> None:
    registry = CollectorRegistry()
    queue = a_queue(Reconciler(failing(3)), registry)
    for key in ("acme", "globex"):
        queue.add(key)
    assert registry.get_sample_value("headgate_reconcile_queue_depth") == 2

    async with working(queue):
        await asyncio.sleep(60)

    assert registry.get_sample_value("headgate_reconcile_queue_depth") == 0
    assert registry.get_sample_value("headgate_reconcile_failures_total", {"kind": "kind-of-acme"}) == 3
    assert registry.get_sample_value("headgate_reconcile_seconds_count", {"kind": "kind-of-acme"}) == 4


_changes = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.sampled_from(["a", "b", "c"])), max_size=20)


@given(
    changes=_changes,
    durations=st.lists(st.sampled_from([0.0, 0.7, 2.0]), min_size=1, max_size=5),
    workers=st.integers(1, 3),
)
@settings(deadline=None, max_examples=50)
def test_every_change_is_followed_by_a_reconciliation_and_no_key_has_two_at_once(
    changes: list[tuple[float, str]], durations: list[float], workers: int
) -> None:
    active: set[str] = set()
    clashes: list[str] = []

    async def body(key: str) -> None:
        if key in active:
            clashes.append(key)
        active.add(key)
        await asyncio.sleep(durations[len(reconciler.calls) % len(durations)])
        active.discard(key)
        if len(reconciler.calls) % 3 == 0:
            raise CONFLICT

    async def scenario() -> list[tuple[str, float]]:
        queue, told = a_queue(reconciler), []
        async with working(queue, workers):
            for pause, key in changes:
                await asyncio.sleep(pause)
                queue.add(key)
                told.append((key, now()))
            await asyncio.sleep(1_000)
        return told

    reconciler = Reconciler(body)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        told = runner.run(scenario())

    assert clashes == []
    for key, moment in told:
        assert any(called == key and when >= moment for called, when in reconciler.calls)
