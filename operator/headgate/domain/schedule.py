"""Ticks of a cron schedule in a time zone.

A time that the clocks skip in spring comes when they have moved on. A time that comes twice in autumn is taken once,
the first time, unless the schedule goes on all day or by the minute: ``0 * * * *`` and ``*/15 * * * *`` never pause.
Where the clocks change by half an hour, a full hour stays a full hour: it comes an hour and a half after the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

from headgate.api.node import ConcurrencyPolicy, MissedRuns, Schedule

LOOK_BACK = 100
"""Ticks looked back on at most where ``missedRunsLimit`` does not say how many."""
_FIELDS = 5
_ALL = ["*"]


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
    return next(_ticks(schedule, after, "forwards"))


@dataclass(frozen=True)
class Due:
    """Ticks to run now, oldest first, and when to look again."""

    ticks: tuple[datetime, ...]
    next_tick: datetime


def due(schedule: Schedule, expected: datetime, now: datetime, grace_seconds: float = 30.0) -> Due:
    """Ticks from ``expected`` (the stored next tick) up to ``now`` that are to run.

    A tick no older than ``grace_seconds`` is on time. Older ones were missed, and ``missedRuns`` says which of them
    run: none, the latest (when no tick on time follows it), or all. With All, of ticks on time and missed ones together
    the last ``missedRunsLimit`` run; with Replace the very last, as every other would be replaced at once. The work
    does not grow with the time that was missed.
    """
    if expected > now:
        return Due((), expected)
    passed, upcoming = _passed(schedule, expected, now)
    on_time = [tick for tick in passed if (now - tick).total_seconds() <= grace_seconds]
    wanted = {MissedRuns.NONE: on_time, MissedRuns.LATEST: on_time or passed[-1:], MissedRuns.ALL: passed}
    ticks = wanted[schedule.missed_runs]
    return Due(tuple(ticks[-1:] if schedule.concurrency_policy is ConcurrencyPolicy.REPLACE else ticks), upcoming)


def _passed(schedule: Schedule, expected: datetime, now: datetime) -> tuple[list[datetime], datetime]:
    """The last ticks from ``expected`` to ``now``, oldest first, and the first one after ``now``."""
    limit = schedule.missed_runs_limit if schedule.missed_runs is MissedRuns.ALL else LOOK_BACK
    start = _look_back(schedule, expected, now, limit)
    passed = [expected] if start == expected else []
    for tick in _ticks(schedule, start, "forwards"):
        if tick > now:
            return passed[-limit:], tick
        passed.append(tick)
    raise AssertionError("unreachable: ticks have no end")


def _look_back(schedule: Schedule, expected: datetime, now: datetime, limit: int) -> datetime:
    """A time with ``limit`` ticks between it and ``now``; ``expected`` where there are fewer.

    Only the way forwards decides what is a tick: backwards the library knows a few more where the clocks change.
    """
    backwards = _ticks(schedule, now + timedelta(microseconds=1), "backwards")
    try:
        recent = list(islice(takewhile(lambda tick: tick > expected, backwards), limit + 1))
    except CroniterBadDateError:
        return expected
    return recent[-1] if len(recent) > limit else expected


def _ticks(schedule: Schedule, start: datetime, direction: Literal["forwards", "backwards"]) -> Iterator[datetime]:
    """The ticks after, or before, ``start``. Raises ``CroniterBadDateError`` when there is none for decades."""
    zone = ZoneInfo(schedule.time_zone)
    cron = croniter(schedule.cron, start.astimezone(zone))
    step = cron.get_next if direction == "forwards" else cron.get_prev
    again = _goes_on(schedule.cron)
    while True:
        # The library sets fold on times that come once, too; only the way through UTC tells the truth.
        tick = step(datetime).astimezone(UTC)
        if again or not tick.astimezone(zone).fold:
            yield tick


def _goes_on(cron: str) -> bool:
    """Whether the schedule is about a pace rather than about times of the day, as Debian's cron tells them apart."""
    minute, hour = cron.split()[:2]
    expanded = croniter.expand(cron)[0]
    return minute.startswith("*") or hour.startswith("*") or _ALL in expanded[:2]
