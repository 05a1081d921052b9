"""The log of a pod, as those of the attempts that ran in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from headgate.domain.runner_log import Frame, FrameReader
from headgate.domain.spread import index_of, item_name, node_of
from headgate.domain.step_log import CutLog, LogCutter
from headgate.domain.task import TaskRef

BEHEADED = b"[headgate: the beginning of this log is missing]\n"


class PodLog(Protocol):
    """Takes in the log of a pod, and says what is to be kept of it for whom."""

    @property
    def seen(self) -> int:
        """How many bytes were taken in."""
        ...

    def add(self, piece: bytes) -> None:
        """Take in what comes next."""
        ...

    def leap(self) -> None:
        """What comes next is the end of the log, of which a part may have been taken in already."""
        ...

    def results(self, *, complete: bool) -> tuple[tuple[TaskRef, CutLog], ...]:
        """What is kept of each attempt's log. ``complete`` says whether the log was read to its end."""
        ...


class WholeLog:
    """The log of a pod in which one attempt ran."""

    def __init__(self, ref: TaskRef, limit: int) -> None:
        self._ref = ref
        self._cutter = LogCutter(limit)

    @property
    def seen(self) -> int:
        """See ``PodLog``."""
        return self._cutter.seen

    def add(self, piece: bytes) -> None:
        """See ``PodLog``."""
        self._cutter.add(piece)

    def leap(self) -> None:
        """See ``PodLog``."""
        self._cutter.leap()

    def results(self, *, complete: bool) -> tuple[tuple[TaskRef, CutLog], ...]:
        """See ``PodLog``."""
        kept = self._cutter.result()
        return ((self._ref, kept if complete else replace(kept, truncated=True)),)


@dataclass
class _Part:
    """What was seen of one attempt."""

    cutter: LogCutter
    beheaded: bool
    ended: bool = False


class PartedLog:
    """The log of a runner's pod, in which attempts ran side by side. Holds as much as is kept of all of them."""

    def __init__(self, workspace_id: UUID, run_id: UUID, nodes: Collection[str], limit: int) -> None:
        """Only what is told of ``nodes`` of the run is taken in: whatever a pod says, it has no say about others."""
        self._workspace_id = workspace_id
        self._run_id = run_id
        self._nodes = nodes
        self._limit = limit
        self._reader = FrameReader()
        self._parts: dict[tuple[str, int], _Part] = {}
        self._next = 0
        self._seen = 0

    @property
    def seen(self) -> int:
        """See ``PodLog``."""
        return self._seen

    def add(self, piece: bytes) -> None:
        """See ``PodLog``."""
        self._seen += len(piece)
        for frame in self._reader.add(piece):
            # What was read before is in the end of a log once more.
            if frame.number >= self._next:
                self._notice_gap(frame.number)
                self._take(frame)

    def leap(self) -> None:
        """See ``PodLog``."""
        self._reader.leap()

    def results(self, *, complete: bool) -> tuple[tuple[TaskRef, CutLog], ...]:
        """See ``PodLog``."""
        found = []
        for (node, attempt), part in self._parts.items():
            kept = part.cutter.result()
            cut = part.beheaded or not (complete or part.ended)
            ref = TaskRef(self._workspace_id, self._run_id, node, attempt)
            found.append((ref, replace(kept, truncated=kept.truncated or cut)))
        return tuple(found)

    def _notice_gap(self, number: int) -> None:
        if number > self._next:
            for part in self._parts.values():
                if not part.ended:
                    part.cutter.leap()
        self._next = number + 1

    def _take(self, frame: Frame) -> None:
        if frame.run_id != self._run_id or not _is_attempt(frame, self._nodes):
            return
        key = (frame.node, frame.attempt)
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = _Part(LogCutter(self._limit), beheaded=not frame.begins)
            if part.beheaded:
                part.cutter.add(BEHEADED)
        part.cutter.add(frame.printed)
        part.ended = frame.ends


def _is_attempt(frame: Frame, nodes: Collection[str]) -> bool:
    if node_of(frame.node) not in nodes or frame.attempt < 1:
        return False
    try:
        index = index_of(frame.node)
    except ValueError:
        return False
    # As it is written: it becomes a part of a path.
    return index is None or (index >= 0 and frame.node == item_name(node_of(frame.node), index))
