"""Lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")


# The few texts of a workflow are read at every step of all of its runs.
@lru_cache(maxsize=1024)
def parse_duration(text: str) -> timedelta:
    """The length of time that ``text`` (such as ``1h30m``) stands for.

    Raises ``ValueError`` when ``text`` is not a sequence of numbers with units ms, s, m, h or d, or is longer than
    ``timedelta`` can hold.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m or 1h30m")
    try:
        return timedelta(milliseconds=sum(int(number) * _MILLISECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text!r} is too long a duration") from None


def format_duration(length: timedelta) -> str:
    """``length`` for people, with its two largest units: ``850ms``, ``12.3s``, ``1m12s``, ``3h5m``, ``2d4h``.

    What is smaller is left out, so that nothing is said to have taken longer than it did. Negative lengths count as 0.
    """
    milliseconds = max(length, timedelta(0)) // timedelta(milliseconds=1)
    if milliseconds < _MILLISECONDS["s"]:
        return f"{milliseconds}ms"
    if milliseconds < _MILLISECONDS["m"]:
        return f"{milliseconds // 100 / 10:g}s"
    for unit, lesser in (("d", "h"), ("h", "m"), ("m", "s")):
        whole, rest = divmod(milliseconds, _MILLISECONDS[unit])
        if whole:
            few = rest // _MILLISECONDS[lesser]
            return f"{whole}{unit}" + (f"{few}{lesser}" if few else "")
    raise AssertionError("unreachable: a minute or more has a unit")
