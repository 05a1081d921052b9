"""Ticks of a cron schedule in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

from headgate.api.node import MissedRuns, Schedule

MISSED_AT_MOST = 100
"""Ticks made up for at most, the most recent ones, with ``missedRuns: All``."""
_FIELDS = 5


def validate(schedule: Schedule) -> str | None:
    """What is wrong with the schedule and how to mend it, or None when it is good."""
    if len(schedule.cron.split()) != _FIELDS:
        return f"cron {schedule.cron!r} must have five fields: minute, hour, day of month, month, day of week"
    try:
        zone = ZoneInfo(schedule.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return (
            f"timeZone {schedule.time_zone!r} is not in the IANA time zone database; write it like Europe/Berlin or UTC"
        )
    try:
        croniter(schedule.cron, datetime(2024, 1, 1, tzinfo=zone)).get_next(datetime)
    except (CroniterBadCronError, CroniterBadDateError, ValueError, KeyError) as error:
        return f"cron {schedule.cron!r} is not valid or never comes true: {error}"
    return None


def next_tick(schedule: Schedule, after: datetime) -> datetime:
    """The first tick strictly after ``after``, in UTC."""
    zone = ZoneInfo(schedule.time_zone)
    local = croniter(schedule.cron, after.astimezone(zone)).get_next(datetime)
    return local.astimezone(UTC)


@dataclass(frozen=True)
class Due:
    """Ticks to run now, oldest first, and when to look again."""

    ticks: tuple[datetime, ...]
    next_tick: datetime


def due(schedule: Schedule, expected: datetime, now: datetime, grace_seconds: float = 30.0) -> Due:
    """Ticks from ``expected`` (the stored next tick) up to ``now`` that are to run.

    A tick no older than ``grace_seconds`` is on time. Older ones were missed, and ``missedRuns`` says which of them
    run: none, the latest (when no tick on time follows it), or the last 100.
    """
    passed: list[datetime] = []
    tick = expected
    while tick <= now:
        passed.append(tick)
        del passed[:-MISSED_AT_MOST]
        tick = next_tick(schedule, tick)
    on_time = [t for t in passed if (now - t).total_seconds() <= grace_seconds]
    wanted = {MissedRuns.NONE: on_time, MissedRuns.LATEST: on_time or passed[-1:], MissedRuns.ALL: passed}
    return Due(tuple(wanted[schedule.missed_runs]), tick)
