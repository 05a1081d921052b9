from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest

from headgate.gateway.pace import Pace

ACME, OTHER = UUID(int=1), UUID(int=2)


@dataclass
class Clock:
    """Moves on while somebody sleeps."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    """A hundred bytes a second."""
    return Pace(100, clock, clock.sleep)


async def test_what_comes_first_does_not_wait_and_what_follows_does(pace: Pace, clock: Clock) -> None:
    await pace.let_through(ACME, 50)
    assert clock.now == 100.0
    await pace.let_through(ACME, 50)
    assert clock.now == 100.5
    await pace.let_through(ACME, 1)
    assert clock.now == 101.0


async def test_one_workspace_does_not_wait_for_another(pace: Pace, clock: Clock) -> None:
    await pace.let_through(ACME, 1000)
    await pace.let_through(OTHER, 1000)

    assert clock.now == 100.0


async def test_what_was_not_used_is_not_saved_up(pace: Pace, clock: Clock) -> None:
    await pace.let_through(ACME, 10)
    clock.now += 60
    await pace.let_through(ACME, 100)
    await pace.let_through(ACME, 1)

    assert clock.now == pytest.approx(161.0)
