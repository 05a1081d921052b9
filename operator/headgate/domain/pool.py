"""How many runners a pool has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from headgate.domain.runner_protocol import Kind


@dataclass(frozen=True)
class LaneSize:
    """Room that a runner has for attempts of some kinds."""

    kinds: tuple[Kind, ...]
    at_once: int
    """Executed side by side at most."""


SCRIPTS = LaneSize(("script",), 1)
"""No two scripts are ever in each other's sight."""
LANES = (LaneSize(("http",), 16), LaneSize(("sql", "connector"), 4), SCRIPTS)
"""A request holds little in memory, as its answer is bounded before it is read. What a statement gives, or a batch of a
copy, may be some megabytes."""


@dataclass(frozen=True)
class Load:
    """What there is to do for a pool right now: what waits, and what is under way."""

    attempts: Mapping[str, int] = field(default_factory=dict)
    """By kind."""

    @property
    def runners(self) -> int:
        """So many runners would do all of it at once."""
        return max(-(-sum(self.attempts.get(kind, 0) for kind in lane.kinds) // lane.at_once) for lane in LANES)


@dataclass(frozen=True)
class Bounds:
    """What the Workspace says of its pool."""

    least: int
    most: int
    idle: timedelta


@dataclass(frozen=True)
class PoolSize:
    """How many runners there are to be, and what is remembered to decide when there are to be fewer."""

    runners: int
    peak: int = 0
    """The most that would have been of use since ``since``."""
    since: datetime | None = None
    """From when on fewer would have done; None while all are of use."""


def resized(size: PoolSize, load: Load, bounds: Bounds, now: datetime) -> PoolSize:
    """More runners as soon as they are of use; fewer when they were not for as long as the bounds say.

    Then as many are left as were of use at some moment of that time. So a load that comes and goes changes nothing as
    long as it comes back within that time, and each change is followed by none downwards for that long.
    """
    wanted = min(max(load.runners, bounds.least), bounds.most)
    within = min(max(size.runners, bounds.least), bounds.most)
    if within != size.runners:
        return PoolSize(max(within, wanted))
    if wanted >= within:
        return PoolSize(wanted)
    if size.since is None:
        return PoolSize(within, wanted, now)
    peak = max(size.peak, wanted)
    if now - size.since < bounds.idle:
        return replace(size, peak=peak)
    if peak >= within:
        return PoolSize(within)
    return PoolSize(peak)
