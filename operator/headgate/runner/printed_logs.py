"""What scripts of a pool print, kept until their ends are told: nobody reads the log of a pod that does not end."""

from __future__ import annotations

from uuid import UUID

from headgate.domain.runner_protocol import PRINTED_BYTES, Attempt, Printed
from headgate.domain.step_log import LogCutter


class PrintedLogs:
    """Holds head and tail of what each attempt under way has printed."""

    def __init__(self, limit: int = PRINTED_BYTES) -> None:
        """``limit`` is in bytes, of each."""
        self._limit = limit
        self._cutters: dict[tuple[UUID, str, int], LogCutter] = {}

    def add(self, attempt: Attempt, text: str) -> None:
        """The attempt printed that."""
        self._cutters.setdefault(_key(attempt), LogCutter(self._limit)).add(text.encode("utf-8", "replace"))

    def take(self, attempt: Attempt) -> Printed | None:
        """What is kept of it, and is not held any longer; None where it printed nothing."""
        cutter = self._cutters.pop(_key(attempt), None)
        return Printed.of(cutter.result()) if cutter is not None and cutter.seen else None


def _key(attempt: Attempt) -> tuple[UUID, str, int]:
    return attempt.run_id, attempt.node, attempt.attempt
