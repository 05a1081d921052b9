"""Text for terminals and files: columns, times, and nothing that moves a cursor."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from headgate.domain.durations import format_duration

_GAP = "  "
_SHORT = 80


def printable(text: str) -> str:
    """The text without what a terminal would obey: much of it was written by others."""
    return "".join(" " if character in "\n\t" else "" if _is_control(character) else character for character in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The rows below each other, as wide as they are: nothing is cut, whatever reads it."""
    table = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, cells)) for cells in zip(*table, strict=True)]
    return "\n".join(
        _GAP.join(cell + " " * (wide - _width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def _width(text: str) -> int:
    """How many columns of a terminal it takes."""
    return sum(
        0 if unicodedata.combining(item) else 2 if unicodedata.east_asian_width(item) in "WF" else 1 for item in text
    )


def short(text: str) -> str:
    """As much of it as fits into a line."""
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def moment(text: str | None) -> datetime | None:
    """The moment that the API wrote."""
    return datetime.fromisoformat(text) if text else None


def time_of(text: str | None) -> str:
    """A moment of the API's, to the second."""
    found = moment(text)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ") if found else ""


def lasted(started: str | None, finished: str | None) -> str:
    """How long something took; nothing while it goes on."""
    begin, end = moment(started), moment(finished)
    if begin is None or end is None:
        return ""
    # Kubernetes tells when containers start and end in whole seconds.
    return "<1s" if begin == end and not begin.microsecond else format_duration(end - begin)


def parts(seconds: float) -> str:
    """A length of time that still grows, in whole seconds."""
    return format_duration(timedelta(seconds=max(0, int(seconds))))
