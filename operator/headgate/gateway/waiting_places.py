"""Requests of runners that wait: each is rung, or kept for something and given it, or goes on waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from headgate.domain.runner_task import RunnerTask
from headgate.engine.steps.going_on import Claimant


class Seeker(Protocol):
    """A request of a runner for something to do."""

    @property
    def claimant(self) -> Claimant:
        """Whose it is."""
        ...

    async def look(self) -> RunnerTask | None:
        """Claim what is due, where something is."""
        ...

    def gone(self) -> Awaitable[bool]:
        """Whether nobody waits for the answer any more."""
        ...

    async def give_back(self, task: RunnerTask) -> None:
        """Let somebody else have what is leased to the claimant, if it is."""
        ...


@dataclass(frozen=True)
class Group:
    """Those who wait for the same."""

    workspace: str
    namespace: str
    kinds: frozenset[str]


@dataclass(eq=False)
class Place:
    """A request that waits, or looks right now."""

    back: Callable[[Seeker, RunnerTask], None]
    """Takes what was given to one that is gone."""
    group: Group
    seeker: Seeker
    number: int
    """By which it is told who waits longer."""
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has to go on: to look, or with what it was given."""
    rung: bool = False
    resting: bool = False
    """Whether its look has found nothing."""
    kept: bool = False
    """Whether it was chosen, and waits for what comes of it."""
    late: bool = False
    """Whether it looks as soon as it is kept no more."""
    left: bool = False
    given: RunnerTask | None = None

    @property
    def served(self) -> bool:
        """Whether something is, or may be, handed to it."""
        return self.kept or self.given is not None

    @property
    def free(self) -> bool:
        """Whether it may be chosen."""
        return self.resting and not (self.rung or self.served)

    @property
    def workspace(self) -> str:
        """Name of its workspace."""
        return self.group.workspace

    @property
    def claimant(self) -> Claimant:
        """Whose request it is."""
        return self.seeker.claimant

    def ring(self) -> None:
        """There is something to look for."""
        self.rung = True
        if not self.kept:
            self.stirred.set()

    def give(self, task: RunnerTask) -> None:
        """The attempt is recorded as the claimant's. Where the request is gone, it is given back."""
        self.kept = False
        if self.left:
            self.back(self.seeker, task)
        else:
            self.given = task
            self.stirred.set()

    def let_go(self) -> None:
        """There is none: it goes on waiting."""
        self.kept = False
        if self.rung or self.late:
            self.stirred.set()

    def doubt(self, task: RunnerTask) -> None:
        """The attempt may have been recorded as the claimant's, or not: it goes on waiting, and that is given back."""
        self.let_go()
        self.back(self.seeker, task)


@dataclass
class Known:
    """What is known of a group."""

    places: deque[Place] = field(default_factory=deque)
    rings: int = 0
    nothing_at: float | None = None
    """Since when nobody has rung, a look then having found nothing."""


def wake(known: Known) -> bool:
    """Wake the one of the group that waits longest. Whether it looks now, having been handed nothing."""
    quiet = [place for place in known.places if not place.rung]
    for place in quiet:
        if not place.served:
            place.ring()
            return True
    for place in quiet[:1]:
        place.ring()
    return False


async def rest(place: Place, seconds: float, until: float) -> None:
    """Until it is stirred, or so many seconds have passed, unless it is kept then, or it is too late."""
    clock = asyncio.get_running_loop().time
    place.resting = True
    await _stirred(place, min(seconds, until - clock()))
    if place.kept:
        place.late = True
        await _stirred(place, until - clock())
    place.resting = False


async def _stirred(place: Place, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await place.stirred.wait()
    except TimeoutError:
        return
