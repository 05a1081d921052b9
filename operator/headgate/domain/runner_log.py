"""The lines in which a runner tells what its attempts print: framed, so that nothing printed is taken for a frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

FRAME_BYTES = 14_000
"""Container runtimes write lines of more than 16 KiB in parts, between which lines of another stream may come."""
LONGEST_LINE = 65_536
"""What is longer is no frame, and is not held."""
RUNNER = "runner"
"""The stream of what the runner itself says of an attempt."""
_BEGUN, _ENDED = "begun", "ended"
_encoded = json.JSONEncoder(ensure_ascii=False).encode
_MEMBERS = {"run": str, "node": str, "attempt": int, "number": int, "stream": str, "text": str}


@dataclass(frozen=True)
class Frame:
    """A piece of what an attempt printed, or a word of the runner about it."""

    run_id: UUID
    node: str
    attempt: int
    number: int
    """How many of the runner's frames came before it: where one is missing, a part of the log is."""
    stream: str
    """``stdout``, ``stderr`` or ``RUNNER``."""
    text: str

    @property
    def begins(self) -> bool:
        """Whether the attempt begins here."""
        return (self.stream, self.text) == (RUNNER, _BEGUN)

    @property
    def ends(self) -> bool:
        """Whether nothing of the attempt comes behind it."""
        return (self.stream, self.text) == (RUNNER, _ENDED)

    @property
    def printed(self) -> bytes:
        """What the attempt's log gets of it."""
        return b"" if self.stream == RUNNER else self.text.encode("utf-8", "replace")


class FrameWriter:
    """Numbers and writes the frames of a runner."""

    def __init__(self, emit: Callable[[str], object]) -> None:
        """``emit`` takes a line without its end."""
        self._emit = emit
        self._number = 0

    def begun(self, run_id: UUID, node: str, attempt: int) -> None:
        """The attempt begins."""
        self.printed(run_id, node, attempt, RUNNER, _BEGUN)

    def ended(self, run_id: UUID, node: str, attempt: int) -> None:
        """Nothing of the attempt runs any more."""
        self.printed(run_id, node, attempt, RUNNER, _ENDED)

    def printed(self, run_id: UUID, node: str, attempt: int, stream: str, text: str) -> None:
        """The attempt printed that: several frames where one would be too long."""
        about = {"run": str(run_id), "node": node, "attempt": attempt, "number": self._number, "stream": stream}
        line = _encoded({**about, "text": text})
        # No character takes more than four bytes: short lines are not encoded to be counted.
        if len(line) * 4 > FRAME_BYTES and len(line.encode("utf-8", "replace")) > FRAME_BYTES:
            middle = len(text) // 2
            self.printed(run_id, node, attempt, stream, text[:middle])
            self.printed(run_id, node, attempt, stream, text[middle:])
            return
        self._number += 1
        self._emit(line)


class FrameReader:
    """Finds frames in a log that comes piece by piece."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, piece: bytes) -> list[Frame]:
        """The frames that are complete now. Lines that are none, as those of the runner's own log, are left out."""
        *lines, rest = (self._rest + piece).split(b"\n")
        self._rest = rest if len(rest) <= LONGEST_LINE else b""
        return [frame for line in lines if (frame := _decoded(line)) is not None]

    def leap(self) -> None:
        """What comes next does not go on with what came last."""
        self._rest = b""


class AttemptFrames:
    """What one attempt printed, out of a runner's log that comes piece by piece."""

    def __init__(self, run_id: UUID, node: str, attempt: int) -> None:
        self._attempt = (run_id, node, attempt)
        self._reader = FrameReader()
        self.begun = False
        """Whether anything of the attempt was there."""
        self.ended = False
        """Whether nothing of it comes any more."""

    def add(self, piece: bytes) -> bytes:
        """What is the attempt's of what comes next."""
        frames = [
            frame for frame in self._reader.add(piece) if (frame.run_id, frame.node, frame.attempt) == self._attempt
        ]
        self.begun = self.begun or bool(frames)
        self.ended = self.ended or any(frame.ends for frame in frames)
        return b"".join(frame.printed for frame in frames)


def _decoded(line: bytes) -> Frame | None:
    # Within a frame no quotation mark stands without a backslash before it: no part of one can be read as a frame.
    try:
        found: Any = json.loads(line)
        if not isinstance(found, dict) or {name: type(value) for name, value in found.items()} != _MEMBERS:
            return None
        return Frame(
            UUID(found["run"]), found["node"], found["attempt"], found["number"], found["stream"], found["text"]
        )
    except (ValueError, RecursionError):
        return None
