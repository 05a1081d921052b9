"""The form of a cron expression, as far as a regular expression can tell; the rest is the operator's to check."""

from __future__ import annotations

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS = "sun|mon|tue|wed|thu|fri|sat"


def _field(value: str, *, alone: str = "") -> str:
    """A list of ``*``, values and ranges, each with a step if wanted; ``alone`` may stand in place of a range."""
    part = rf"(({value})(-({value}))?|\*)(/[0-9]+)?"
    entry = f"({part}|{alone})" if alone else f"({part})"
    return f"{entry}(,{entry})*"


CRON_PATTERN = (
    r"^(?i:[ \t]*"
    + r"[ \t]+".join(
        (
            _field(r"[0-5]?[0-9]"),
            _field(r"[01]?[0-9]|2[0-3]"),
            _field(r"0?[1-9]|[12][0-9]|3[01]", alone=r"l|\?"),
            _field(rf"0?[1-9]|1[0-2]|{_MONTHS}"),
            _field(rf"[0-7]|{_DAYS}", alone=rf"l?([0-7]|{_DAYS})(#[1-5])?|\?"),
        )
    )
    + r"[ \t]*)$"
)
"""Matches every expression of five fields that is valid, and few that are not (such as ``31 2`` as day and month)."""

CRON_MESSAGE = (
    "write five fields: minute 0-59, hour 0-23, day of month 1-31, month 1-12 or jan-dec, day of week 0-7 or sun-sat; "
    "such as '0 2 * * *' for two o'clock every night"
)
