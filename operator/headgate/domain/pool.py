"""How many runners a pool has. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

CALLS_AT_ONCE = 4
"""``http``, ``sql`` and ``connector`` attempts that one runner executes side by side, besides one script."""


@dataclass(frozen=True)
class Load:
    """What there is to do for a pool right now: what waits, and what is under way."""

    scripts: int = 0
    calls: int = 0

    @property
    def runners(self) -> int:
        """So many runners would do all of it at once."""
        return max(self.scripts, -(-self.calls // CALLS_AT_ONCE))


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
