from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.node import ConcurrencyPolicy, MissedRuns, Schedule
from headgate.domain.schedule import Due, due, next_tick, validate

MINUTE = timedelta(minutes=1)
BERLIN_SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
BERLIN_AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)
NEW_YORK_SPRING = datetime(2026, 3, 8, 7, tzinfo=UTC)
NEW_YORK_AUTUMN = datetime(2026, 11, 1, 6, tzinfo=UTC)
LORD_HOWE_SPRING = datetime(2026, 10, 3, 15, 30, tzinfo=UTC)
LORD_HOWE_AUTUMN = datetime(2026, 4, 4, 15, tzinfo=UTC)
CHANGES = [
    ("Europe/Berlin", BERLIN_SPRING),
    ("Europe/Berlin", BERLIN_AUTUMN),
    ("America/New_York", NEW_YORK_SPRING),
    ("America/New_York", NEW_YORK_AUTUMN),
    ("Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 10, 29, 21, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2019, 2, 17, 2, tzinfo=UTC)),
    ("Australia/Lord_Howe", LORD_HOWE_SPRING),
    ("Australia/Lord_Howe", LORD_HOWE_AUTUMN),
    ("Asia/Kolkata", datetime(2026, 1, 1, tzinfo=UTC)),
]
"""Zones, and when their clocks change: at night, at midnight, by half an hour, never."""

MINUTES = ["0", "30", "59", "*", "*/15", "15,45", "5-20/5"]
HOURS = ["*", "*/2", "0", "1", "2", "3", "23", "1-3", "0,2", "0-23"]
DAYS = ["*", "1", "25", "29", "1-7", "31"]
MONTHS = ["*", "3,10", "10-11"]
WEEKDAYS = ["*", "0", "1-5", "7", "0,6"]
CRONS = st.tuples(*(st.sampled_from(values) for values in (MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS))).map(" ".join)


def a_schedule(cron: str, zone: str = "UTC", missed: MissedRuns = MissedRuns.LATEST, limit: int = 100) -> Schedule:
    return Schedule(cron=cron, time_zone=zone, missed_runs=missed, missed_runs_limit=limit)


def ticks(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    while (tick := next_tick(schedule, found[-1] if found else after)) <= until:
        found.append(tick)
    return found


def around(change: datetime) -> tuple[datetime, datetime]:
    return change - timedelta(hours=26), change + timedelta(hours=26)


def local_times(cron: str, zone: str, change: datetime) -> list[str]:
    """Day and time of the clocks on the wall, with the offset from UTC."""
    found = ticks(a_schedule(cron, zone), *around(change))
    return [tick.astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z") for tick in found]


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 2 * * *", datetime(2026, 1, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 2, tzinfo=UTC)),
        ("0 2 * * *", datetime(2026, 1, 1, 1, 59, 59, 999999, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC)),
        ("0 0 31 * *", datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)),
        ("0 0 L * *", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),
        ("0 0 L * *", datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 1 * *", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("0 9 * * mon", datetime(2026, 6, 2, tzinfo=UTC), datetime(2026, 6, 8, 9, tzinfo=UTC)),
        ("0 9 * * 5#2", datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 12, 9, tzinfo=UTC)),
        ("0 9 13 * 5", datetime(2026, 6, 6, tzinfo=UTC), datetime(2026, 6, 12, 9, tzinfo=UTC)),
    ],
)
def test_the_next_tick_is_the_first_after(cron: str, after: datetime, expected: datetime) -> None:
    assert next_tick(a_schedule(cron), after) == expected


def test_a_schedule_is_read_in_its_time_zone() -> None:
    after = datetime(2026, 7, 1, tzinfo=UTC)

    assert next_tick(a_schedule("0 9 * * *", "Asia/Kolkata"), after) == datetime(2026, 7, 1, 3, 30, tzinfo=UTC)
    assert next_tick(a_schedule("0 9 * * *", "America/New_York"), after) == datetime(2026, 7, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize(
    ("cron", "pace"),
    [("* * * * *", MINUTE), ("*/15 * * * *", 15 * MINUTE), ("0 * * * *", 60 * MINUTE), ("0 0-23 * * *", 60 * MINUTE)],
)
def test_a_pace_goes_on_when_the_clocks_change(cron: str, pace: timedelta, zone: str, change: datetime) -> None:
    found = ticks(a_schedule(cron, zone), *around(change))

    # By the half hour of Lord Howe no pace of an hour can go on: its full hours are an hour and a half apart once.
    once = {90 * MINUTE} if zone == "Australia/Lord_Howe" and pace == 60 * MINUTE else set()
    paces = [later - earlier for earlier, later in pairwise(found)]
    assert set(paces) == {pace} | once
    assert sum(found != pace for found in paces) == len(once)


@pytest.mark.parametrize(
    ("zone", "change", "cron", "times"),
    [
        ("Europe/Berlin", BERLIN_SPRING, "30 2 * * *", ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]),
        ("Europe/Berlin", BERLIN_SPRING, "0 2 * * *", ["28 02:00 +0100", "29 03:00 +0200", "30 02:00 +0200"]),
        ("Europe/Berlin", BERLIN_SPRING, "0 3 * * *", ["28 03:00 +0100", "29 03:00 +0200", "30 03:00 +0200"]),
        ("Europe/Berlin", BERLIN_SPRING, "59 1 * * *", ["28 01:59 +0100", "29 01:59 +0100", "30 01:59 +0200"]),
        ("America/New_York", NEW_YORK_SPRING, "30 2 * * *", ["07 02:30 -0500", "08 03:00 -0400", "09 02:30 -0400"]),
        ("America/New_York", NEW_YORK_SPRING, "59 2 * * *", ["07 02:59 -0500", "08 03:00 -0400", "09 02:59 -0400"]),
        ("Australia/Lord_Howe", LORD_HOWE_SPRING, "15 2 * * *", ["03 02:15 +1030", "04 02:30 +1100", "05 02:15 +1100"]),
        ("Australia/Lord_Howe", LORD_HOWE_SPRING, "0 2 * * *", ["03 02:00 +1030", "04 02:30 +1100", "05 02:00 +1100"]),
        ("Australia/Lord_Howe", LORD_HOWE_SPRING, "30 2 * * *", ["03 02:30 +1030", "04 02:30 +1100", "05 02:30 +1100"]),
        ("Australia/Lord_Howe", LORD_HOWE_SPRING, "45 1 * * *", ["03 01:45 +1030", "04 01:45 +1030", "05 01:45 +1100"]),
    ],
)
def test_a_time_that_the_clocks_skip_comes_once_when_they_have_moved_on(
    zone: str, change: datetime, cron: str, times: list[str]
) -> None:
    assert [time for time in local_times(cron, zone, change) if time in times] == times
    assert len([time for time in local_times(cron, zone, change) if time[:2] == times[1][:2]]) == 1


@pytest.mark.parametrize(
    ("zone", "change", "cron", "times"),
    [
        ("Europe/Berlin", BERLIN_AUTUMN, "30 2 * * *", ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]),
        ("Europe/Berlin", BERLIN_AUTUMN, "0 2 * * *", ["24 02:00 +0200", "25 02:00 +0200", "26 02:00 +0100"]),
        ("Europe/Berlin", BERLIN_AUTUMN, "0 3 * * *", ["24 03:00 +0200", "25 03:00 +0100", "26 03:00 +0100"]),
        ("America/New_York", NEW_YORK_AUTUMN, "30 1 * * *", ["31 01:30 -0400", "01 01:30 -0400", "02 01:30 -0500"]),
        ("America/New_York", NEW_YORK_AUTUMN, "0 2 * * *", ["31 02:00 -0400", "01 02:00 -0500", "02 02:00 -0500"]),
        ("Australia/Lord_Howe", LORD_HOWE_AUTUMN, "45 1 * * *", ["04 01:45 +1100", "05 01:45 +1100", "06 01:45 +1030"]),
        ("Australia/Lord_Howe", LORD_HOWE_AUTUMN, "30 1 * * *", ["04 01:30 +1100", "05 01:30 +1100", "06 01:30 +1030"]),
        ("Australia/Lord_Howe", LORD_HOWE_AUTUMN, "0 2 * * *", ["04 02:00 +1100", "05 02:00 +1030", "06 02:00 +1030"]),
    ],
)
def test_a_time_that_comes_twice_is_taken_once(zone: str, change: datetime, cron: str, times: list[str]) -> None:
    assert [time for time in local_times(cron, zone, change) if time in times] == times
    assert len([time for time in local_times(cron, zone, change) if time[:2] == times[1][:2]]) == 1


def test_several_times_of_a_day_are_each_taken_once() -> None:
    times = local_times("30 1,2,3 * * *", "Europe/Berlin", BERLIN_AUTUMN)

    assert [time for time in times if time.startswith("25")] == ["25 01:30 +0200", "25 02:30 +0200", "25 03:30 +0100"]


@given(CRONS, st.sampled_from(CHANGES), st.integers(0, 26 * 60))
def test_ticks_are_what_the_clock_on_the_wall_says(cron: str, change: tuple[str, datetime], back: int) -> None:
    zone, moment = change
    after, until = moment - back * MINUTE, moment + timedelta(hours=27)

    assert ticks(a_schedule(cron, zone), after, until) == list(watched(cron, ZoneInfo(zone), after, until))


def watched(cron: str, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """The ticks by watching a clock, minute by minute."""
    minute, hour = cron.split()[:2]
    all_day = hour in ("*", "0-23")
    goes_on = all_day or minute.startswith("*") or hour.startswith("*")
    before, now = after.astimezone(zone).replace(tzinfo=None), after
    while now < until:
        now += MINUTE
        local = now.astimezone(zone)
        wall = local.replace(tzinfo=None, fold=0)
        skipped = [before + step * MINUTE for step in range(1, (wall - before) // MINUTE)]
        if (matches(cron, wall) and (goes_on or not local.fold)) or (
            not all_day and any(matches(cron, time) for time in skipped)
        ):
            yield now
        before = wall


def matches(cron: str, wall: datetime) -> bool:
    minute, hour, day, month, weekday = cron.split()
    on_day, on_weekday = wall.day in numbers(day, 31), wall.isoweekday() % 7 in {n % 7 for n in numbers(weekday, 7)}
    either = day != "*" and weekday != "*"
    return (
        wall.minute in numbers(minute, 59)
        and wall.hour in numbers(hour, 23)
        and wall.month in numbers(month, 12)
        and ((on_day or on_weekday) if either else (on_day and on_weekday))
    )


def numbers(field: str, last: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, end = span.partition("-") if span != "*" else ("0", "-", str(last))
        found |= set(range(int(first), int(end or first) + 1, int(step or 1)))
    return found


HOURLY = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("missed", "hours"), [(MissedRuns.NONE, []), (MissedRuns.LATEST, [15]), (MissedRuns.ALL, [12, 13, 14, 15])]
)
def test_missed_ticks_run_as_the_schedule_says(missed: MissedRuns, hours: list[int]) -> None:
    now = HOURLY.replace(hour=15, minute=20)

    assert due(a_schedule("0 * * * *", missed=missed), HOURLY, now) == Due(
        tuple(HOURLY.replace(hour=hour) for hour in hours), HOURLY.replace(hour=16)
    )


@pytest.mark.parametrize(
    ("missed", "hours"), [(MissedRuns.NONE, [15]), (MissedRuns.LATEST, [15]), (MissedRuns.ALL, [13, 14, 15])]
)
def test_a_tick_on_time_runs_in_any_case(missed: MissedRuns, hours: list[int]) -> None:
    now = HOURLY.replace(hour=15, second=20)

    found = due(a_schedule("0 * * * *", missed=missed), HOURLY.replace(hour=13), now)

    assert [tick.hour for tick in found.ticks] == hours


@pytest.mark.parametrize("missed", [MissedRuns.NONE, MissedRuns.LATEST])
def test_every_tick_within_the_grace_is_on_time(missed: MissedRuns) -> None:
    now = HOURLY.replace(hour=15, minute=30)

    found = due(a_schedule("0 * * * *", missed=missed), HOURLY, now, grace_seconds=5400)

    assert [tick.hour for tick in found.ticks] == [14, 15]


def test_nothing_is_due_before_its_time() -> None:
    assert due(a_schedule("0 * * * *"), HOURLY, HOURLY - timedelta(microseconds=1)) == Due((), HOURLY)


def test_a_tick_is_due_at_its_time() -> None:
    assert due(a_schedule("0 * * * *"), HOURLY, HOURLY).ticks == (HOURLY,)


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_of_a_year_of_missed_minutes_as_many_run_as_the_limit_says(limit: int) -> None:
    now = HOURLY + timedelta(days=365, seconds=59)

    found = due(a_schedule("* * * * *", missed=MissedRuns.ALL, limit=limit), HOURLY, now)

    assert found.ticks == tuple(now.replace(second=0) - step * MINUTE for step in reversed(range(limit)))
    assert found.next_tick == now.replace(second=0) + MINUTE


@pytest.mark.parametrize("count", [19, 20, 21])
def test_the_limit_is_the_number_that_runs_at_most(count: int) -> None:
    now = HOURLY + (count - 1) * MINUTE

    found = due(a_schedule("* * * * *", missed=MissedRuns.ALL, limit=20), HOURLY, now)

    assert len(found.ticks) == min(count, 20)
    assert found.ticks[-1] == now


def test_the_limit_is_about_all_and_nothing_else() -> None:
    now = HOURLY.replace(hour=15, minute=30)
    schedule = a_schedule("0 * * * *", limit=1)

    assert [tick.hour for tick in due(schedule, HOURLY, now, grace_seconds=5400).ticks] == [14, 15]


def test_of_ticks_that_would_replace_each_other_the_last_one_runs() -> None:
    schedule = a_schedule("0 * * * *", missed=MissedRuns.ALL).model_copy(
        update={"concurrency_policy": ConcurrencyPolicy.REPLACE}
    )

    assert [tick.hour for tick in due(schedule, HOURLY, HOURLY.replace(hour=15)).ticks] == [15]


def test_an_expected_tick_runs_even_when_there_was_none_before_for_decades() -> None:
    leap_day = datetime(2028, 2, 29, tzinfo=UTC)

    assert due(a_schedule("0 0 29 2 *"), leap_day, leap_day).ticks == (leap_day,)


def polled(schedule: Schedule, start: datetime, pauses: list[timedelta]) -> tuple[list[datetime], datetime]:
    """Every tick that was due, looked for at moments that are ``pauses`` apart, and the last moment."""
    expected, now, found = next_tick(schedule, start), start, list[datetime]()
    for pause in pauses:
        now += pause
        result = due(schedule, expected, now)
        found += result.ticks
        expected = result.next_tick
    return found, now


PACES = st.sampled_from(["*/15 * * * *", "0 * * * *", "30 2 * * *", "30 1,2,3 * * *", "*/20 2 * * *", "0 */2 * * 0"])


@given(PACES, st.sampled_from(CHANGES), st.lists(st.timedeltas(timedelta(0), timedelta(hours=20)), max_size=8))
def test_with_all_no_tick_is_lost_or_doubled_whenever_one_looks(
    cron: str, change: tuple[str, datetime], pauses: list[timedelta]
) -> None:
    zone, moment = change
    schedule = a_schedule(cron, zone, MissedRuns.ALL)
    start = moment - timedelta(hours=30)

    found, end = polled(schedule, start, pauses)

    assert found == ticks(schedule, start, end)


@given(
    PACES,
    st.sampled_from(CHANGES),
    st.lists(st.timedeltas(timedelta(seconds=1), timedelta(seconds=30)), min_size=1, max_size=300),
    st.sampled_from(MissedRuns),
)
def test_who_looks_often_gets_every_tick_once(
    cron: str, change: tuple[str, datetime], pauses: list[timedelta], missed: MissedRuns
) -> None:
    zone, moment = change
    schedule = a_schedule(cron, zone, missed)
    start = moment - 16 * MINUTE

    found, end = polled(schedule, start, pauses)

    assert found == ticks(schedule, start, end)


@given(PACES, st.sampled_from(CHANGES), st.lists(st.timedeltas(timedelta(0), timedelta(hours=20)), max_size=8))
def test_with_latest_at_most_one_late_tick_runs_at_a_time(
    cron: str, change: tuple[str, datetime], pauses: list[timedelta]
) -> None:
    zone, moment = change
    schedule = a_schedule(cron, zone, MissedRuns.LATEST)
    start = moment - timedelta(hours=30)
    expected, now = next_tick(schedule, start), start
    for pause in pauses:
        now += pause
        since, result = expected, due(schedule, expected, now)

        assert list(result.ticks) == [tick for tick in [since, *ticks(schedule, since, now)] if tick <= now][-1:]
        expected = result.next_tick


@pytest.mark.parametrize("cron", ["0 2 * * *", "*/15 9-17 * * mon-fri", "0 0 29 2 *", "0 0 L * *", " 0  2 * * * "])
def test_good_schedules_have_no_problem(cron: str) -> None:
    assert validate(a_schedule(cron, "Europe/Berlin")) is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cron": "0 0 31 2 *"}, "never comes true"),
        ({"cron": "0 0 2 * * *"}, "must have five fields"),
        ({"cron": "0 0 * *"}, "must have five fields"),
        ({"cron": "61 0 * * *"}, "not valid"),
        ({"time_zone": "Europe/Atlantis"}, "IANA"),
        ({"time_zone": "Europe"}, "IANA"),
        ({"time_zone": "../../etc/passwd"}, "IANA"),
    ],
)
def test_bad_schedules_are_explained(changes: dict[str, str], problem: str) -> None:
    schedule = a_schedule("0 2 * * *").model_copy(update=changes)

    assert problem in str(validate(schedule))
