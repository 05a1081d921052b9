"""What is asked, left alone and told of something that may be away."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from headgate.dependencies import Dependencies, DependencyGuard, NotAsked, unguarded
from headgate.domain.dependency_breaker import DependencyName


class World:
    """A dependency, at a time that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.registry = CollectorRegistry()
        dependencies = Dependencies(monotonic=lambda: self.seconds)
        self.registry.register(dependencies)
        self.guard = dependencies.guard(DependencyName.KUBERNETES)

    def ask(self, error: Exception | None = None) -> str:
        return ask(self.guard, error)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"headgate_dependency_{name}", {"dependency": "kubernetes"})


def unanswered(error: Exception) -> str | None:
    return "it is silent" if isinstance(error, TimeoutError) else None


def do(error: Exception | None) -> None:
    if error is not None:
        raise error


def ask(guard: DependencyGuard, error: Exception | None = None) -> str:
    """What became of a question: time-outs alone are no answer."""
    try:
        with guard.asking(unanswered):
            do(error)
    except NotAsked:
        return "not asked"
    except Exception as raised:
        return type(raised).__name__
    return "answered"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def away(world: World) -> World:
    """It has not answered three times."""
    assert [world.ask(TimeoutError()) for _ in range(3)] == ["TimeoutError"] * 3
    return world


def test_what_does_not_answer_is_not_asked_until_it_has_cooled_down(away: World) -> None:
    assert away.ask() == "not asked"

    away.seconds = 2.0
    assert [away.ask(), away.ask()] == ["answered", "answered"]


def test_who_is_refused_is_told_what_was_wrong_the_last_time(away: World) -> None:
    with pytest.raises(NotAsked, match="it is silent"):
        away.guard.check()


def test_refusals_are_answers(world: World) -> None:
    assert [world.ask(ValueError()) for _ in range(9)] == ["ValueError"] * 9


def test_one_asks_half_open_and_the_others_are_refused(away: World) -> None:
    away.seconds = 2.0

    with away.guard.asking(unanswered):
        assert away.ask() == "not asked"

    assert away.ask() == "answered"


async def test_who_is_cancelled_half_open_has_learnt_nothing(away: World) -> None:
    async def hang() -> None:
        with away.guard.asking(unanswered):
            await asyncio.Event().wait()

    away.seconds = 2.0
    hanging = asyncio.create_task(hang())
    await asyncio.sleep(0)
    hanging.cancel()
    await asyncio.wait([hanging])

    assert not away.guard.there
    assert away.ask() == "answered"


async def test_who_waited_for_a_place_is_refused_when_it_comes(world: World) -> None:
    places = asyncio.Semaphore(1)
    await places.acquire()

    async def wait() -> str:
        try:
            async with world.guard.asking_among(places, unanswered):
                return "asked"
        except NotAsked:
            return "not asked"

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    for _ in range(3):
        world.ask(TimeoutError())

    assert await wait() == "not asked"
    places.release()
    assert await waiting == "not asked"
    assert not places.locked()


def test_it_tells_whether_it_is_there_and_what_that_cost(away: World) -> None:
    away.ask()
    assert [away.metric(name) for name in ("up", "failures_total", "spared_total")] == [0.0, 3.0, 1.0]

    away.seconds = 2.0
    away.ask()
    assert away.metric("up") == 1.0


def test_it_is_logged_when_it_goes_and_when_it_comes_and_not_meanwhile(world: World) -> None:
    with capture_logs() as logs:
        for _ in range(9):
            world.ask(TimeoutError("at host 10.0.0.1"))
            world.seconds += 1.0
        world.seconds += 2.0
        world.ask()
        world.ask()

    assert [(entry["log_level"], entry["dependency"]) for entry in logs] == [
        ("warning", "kubernetes"),
        ("info", "kubernetes"),
    ]
    assert "10.0.0.1" not in str(logs)


def test_without_a_guard_of_its_own_it_is_always_asked() -> None:
    guard = unguarded(DependencyName.POSTGRES)

    assert {ask(guard, TimeoutError()) for _ in range(50)} == {"TimeoutError"}
