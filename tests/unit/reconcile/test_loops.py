from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from headgate.cluster.errors import ApiError, Unreachable
from headgate.reconcile.loops import NET_SECONDS, forever
from headgate.store.errors import DatabaseUnavailable
from tests.unit.cluster.virtual_time import in_virtual_time, now, settle

AWAY = DatabaseUnavailable("Postgres is not available")


class Round:
    """Notes when it is called, and does what the test says."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.answer: Callable[[], datetime | None] = lambda: None

    async def __call__(self) -> datetime | None:
        self.moments.append(now())
        return self.answer()


@asynccontextmanager
async def looping(
    once: Round, alarm: asyncio.Event | None = None, net_seconds: float = NET_SECONDS
) -> AsyncIterator[None]:
    task = asyncio.create_task(forever("test", once, alarm, net_seconds=net_seconds))
    await settle()
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.wait({task})


def raising(error: Exception) -> Callable[[], datetime | None]:
    def answer() -> datetime | None:
        raise error

    return answer


@in_virtual_time
async def test_it_goes_round_at_the_interval_of_the_net() -> None:
    once = Round()
    async with looping(once, net_seconds=60):
        await asyncio.sleep(150)
    assert [moment - once.moments[0] for moment in once.moments] == [0, 60, 120]


@in_virtual_time
async def test_an_alarm_wakes_it_at_once_even_when_set_during_a_round() -> None:
    once, alarm = Round(), asyncio.Event()
    async with looping(once, alarm):
        alarm.set()
        await settle()
        assert len(once.moments) == 2

        def set_meanwhile() -> datetime | None:
            once.answer = lambda: None
            alarm.set()
            return None

        once.answer = set_meanwhile
        alarm.set()
        await settle()
        assert len(once.moments) == 4


@in_virtual_time
async def test_what_is_due_already_is_done_at_once_and_what_is_far_off_waits_for_the_net() -> None:
    once = Round()
    pasts = iter([datetime.now(UTC) - timedelta(hours=1)])
    once.answer = lambda: next(pasts, datetime.now(UTC) + timedelta(hours=1))
    async with looping(once):
        assert len(once.moments) == 2
        await asyncio.sleep(NET_SECONDS + 0.1)
        assert len(once.moments) == 3


@pytest.mark.parametrize("error", [AWAY, Unreachable("no answer"), ApiError(500, "Oops", "no"), KeyError("a mistake")])
def test_no_failure_ends_it_and_even_a_slow_loop_tries_again_soon(error: Exception) -> None:
    @in_virtual_time
    async def test() -> None:
        once = Round()
        once.answer = raising(error)
        async with looping(once, net_seconds=3600):
            once.answer = lambda: None
            await asyncio.sleep(NET_SECONDS + 0.1)
            assert len(once.moments) == 2

    test()


@in_virtual_time
async def test_a_failure_that_lasts_is_logged_once_and_again_when_it_comes_back() -> None:
    once = Round()
    once.answer = raising(AWAY)
    with capture_logs() as logs:
        async with looping(once):
            await asyncio.sleep(NET_SECONDS * 3)
            once.answer = raising(Unreachable("no answer"))
            await asyncio.sleep(NET_SECONDS * 3)
            once.answer = lambda: None
            await asyncio.sleep(NET_SECONDS)
            once.answer = raising(Unreachable("no answer"))
            await asyncio.sleep(NET_SECONDS)
    assert [entry["error"] for entry in logs] == ["Postgres is not available", "no answer", "no answer"]


async def test_it_ends_though_what_it_calls_swallowed_the_cancellation() -> None:
    began = asyncio.Event()

    async def once() -> None:
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    task = asyncio.create_task(forever("loop", once))
    await began.wait()
    task.cancel()

    ended, _ = await asyncio.wait([task], timeout=5)
    task.cancel()
    assert ended == {task}
    assert task.cancelled()
