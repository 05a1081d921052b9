"""Lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")


def parse_duration(text: str) -> timedelta:
    """The length of time that ``text`` (such as ``1h30m``) stands for.

    Raises ``ValueError`` when ``text`` is not a sequence of numbers with units ms, s, m, h or d, or is longer than
    ``timedelta`` can hold.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m or 1h30m")
    try:
        return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text!r} is too long a duration") from None


def format_duration(length: timedelta) -> str:
    """``length`` for people, with its two largest units: ``850ms``, ``12.3s``, ``1m12s``, ``3h5m``, ``2d4h``."""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{int(seconds * 10) / 10:g}s"
    whole = int(seconds)
    for unit, size, lesser, lesser_size in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // lesser_size
            return f"{whole // size}{unit}" + (f"{rest}{lesser}" if rest else "")
    raise AssertionError("unreachable: a minute or more has a unit")
