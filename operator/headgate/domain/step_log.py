"""What is kept of an attempt's log, and under which name."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.domain.ids import uuid7_time
from headgate.domain.task import TaskRef

NOTE_BYTES = 192
"""Room for the line that says how much was left out."""
_CONTINUATION = 0xC0
_LEAD = 0x80
_LONGEST_CHARACTER = 4


def stored_under(ref: TaskRef) -> str:
    """What the paths of all begin with that an attempt leaves in the object store: workspace, month of the run, run.

    Raises ``ValueError`` for an id that no run can have.
    """
    month = uuid7_time(ref.run_id).strftime("%Y-%m")
    return f"{ref.workspace_id}/{month}/{ref.run_id}/{ref.node}.{ref.attempt}"


def log_path(ref: TaskRef) -> str:
    """Where the log of an attempt lies. Raises what ``stored_under`` does."""
    return f"{stored_under(ref)}.log"


@dataclass(frozen=True)
class CutLog:
    """What is kept of a log."""

    content: bytes
    truncated: bool


class LogCutter:
    """Takes in a log piece by piece, and keeps all of it, or its head and its tail where it exceeds ``limit`` bytes.

    Holds about twice ``limit`` bytes at most, however much passes through it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        room = max(0, limit - NOTE_BYTES)
        self._head_bytes, self._tail_bytes = room // 2, room - room // 2
        self._head, self._rest = bytearray(), bytearray()
        self._seen = 0
        self._leapt_after: int | None = None

    @property
    def seen(self) -> int:
        """How many bytes were taken in."""
        return self._seen

    def add(self, piece: bytes) -> None:
        """Take in what comes next."""
        self._seen += len(piece)
        missing = self._head_bytes - len(self._head) if self._leapt_after is None else 0
        self._head += piece[:missing]
        self._rest += piece[missing:]
        # As long as all of it may fit, nothing may go.
        held = self._limit - len(self._head)
        if len(self._rest) > 2 * held:
            del self._rest[: len(self._rest) - held]

    def leap(self) -> None:
        """What comes next is the end of the log: between it and what was taken in, an unknown part is missing."""
        self._leapt_after = self._seen
        self._rest.clear()

    def result(self) -> CutLog:
        """What is kept: at most ``limit`` bytes, with no character of UTF-8 cut in two."""
        if self._seen <= self._limit and self._leapt_after is None:
            return CutLog(bytes(self._head + self._rest), truncated=False)
        if self._limit < NOTE_BYTES:
            return CutLog(b"", truncated=True)
        head = _without_half_end(bytes(self._head))
        tail = _without_half_start(bytes(self._rest[-self._tail_bytes :]))
        if self._leapt_after is not None:
            note = f"more than {self._leapt_after} bytes, of which the middle is left out here"
        else:
            note = f"{self._seen} bytes, of which {self._seen - len(head) - len(tail)} are left out here"
        broken = "" if not head or head.endswith(b"\n") else "\n"
        line = f"{broken}[headgate: this log has {note}; at most {self._limit} are kept]\n"
        return CutLog(head + line.encode() + tail, truncated=True)


def _without_half_end(text: bytes) -> bytes:
    """Without the beginning of a character whose end is missing."""
    for back in range(1, min(_LONGEST_CHARACTER, len(text)) + 1):
        byte = text[-back]
        if byte & _CONTINUATION == _LEAD:
            continue
        return text[:-back] if back < _length(byte) else text
    return text


def _without_half_start(text: bytes) -> bytes:
    """Without the end of a character whose beginning is missing."""
    start = 0
    while start < min(_LONGEST_CHARACTER - 1, len(text)) and text[start] & _CONTINUATION == _LEAD:
        start += 1
    return text[start:]


def _length(lead: int) -> int:
    """How many bytes a character has that begins so."""
    return 1 + sum(lead >= first for first in (0xC0, 0xE0, 0xF0))
