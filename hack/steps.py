"""Progress of long work: numbered steps with elapsed time, each with a log of its own."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_HEARTBEAT_SECONDS = 20.0
_TICK_SECONDS = 0.5
_SHOWN_LINES = 20


class StepFailedError(Exception):
    """A step ended the work; what there is to say about it has been printed."""


class TroubleError(Exception):
    """A failure that a person can mend. ``advice`` says how."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.advice = advice


class Progress:
    """Prints steps to the terminal while everything that they print themselves goes to their logs."""

    def __init__(self, logs: Path, total: int) -> None:
        """Logs of earlier work in the folder are overwritten step by step."""
        self._logs = logs
        self._total = total
        self._number = 0
        self._terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        self._live = self._terminal.isatty()
        self._unfinished = False
        self._beating = False

    def say(self, text: str = "") -> None:
        """Print a line, inside or outside of a step."""
        self._erase()
        self._terminal.write(f"{text}\n")

    @contextmanager
    def step(self, name: str, advice: str = "") -> Iterator[None]:
        """One step. Raises `StepFailedError` when its body fails, after telling why and where to look.

        ``advice`` is what to do about a failure that has none of its own.
        """
        self._number += 1
        label = f"[{self._number}/{self._total}] {name}"
        log = self._logs / f"{self._number}-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.log"
        self._logs.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        if not self._live:
            self._begin(f"{label} ... ")
        with log.open("w", encoding="utf-8") as output, _redirected(output):
            ticker = _Ticker(self, label, log, started)
            try:
                yield
            except (Exception, KeyboardInterrupt) as problem:
                ticker.stop()
                self._explain(label, time.monotonic() - started, problem, log, advice)
                raise StepFailedError(name) from problem
            ticker.stop()
        elapsed = time.monotonic() - started
        if self._unfinished:
            self._end(f"{elapsed:.1f} s")
        else:
            self.say(f"{label}: {elapsed:.1f} s" if self._live else f"      done in {elapsed:.1f} s")

    def _explain(self, label: str, elapsed: float, problem: BaseException, log: Path, advice: str) -> None:
        if self._unfinished:
            self._end(f"FAILED after {elapsed:.1f} s")
        else:
            self.say(f"{label}: FAILED after {elapsed:.1f} s")
        sys.stdout.flush()
        sys.stderr.flush()
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        for line in lines[-_SHOWN_LINES:]:
            self.say(f"  | {line}")
        self.say(f"  {'Interrupted.' if isinstance(problem, KeyboardInterrupt) else problem}")
        if hint := getattr(problem, "advice", "") or advice:
            self.say(f"  What to do: {hint}")
        self.say(f"  Log: {log}")

    def beat(self, label: str, log: Path, elapsed: float) -> None:
        """Show that the step goes on, with the last line of its log."""
        if self._live:
            self._beating = True
            width = shutil.get_terminal_size().columns - 1
            self._terminal.write("\r\x1b[2K" + f"{label}: {elapsed:.0f} s  {_last_line(log)}"[:width])
            self._terminal.flush()
        else:
            self.say(f"      {elapsed:.0f} s  {_last_line(log)}".rstrip())

    @property
    def interval(self) -> float:
        """Seconds between two beats."""
        return _TICK_SECONDS if self._live else _HEARTBEAT_SECONDS

    def _begin(self, text: str) -> None:
        """Where a line cannot be rewritten, it stays open until there is more to say."""
        self._terminal.write(text)
        self._terminal.flush()
        self._unfinished = True

    def _end(self, text: str = "") -> None:
        self._terminal.write(f"{text}\n")
        self._unfinished = False

    def _erase(self) -> None:
        if self._beating:
            self._terminal.write("\r\x1b[2K")
            self._beating = False
        if self._unfinished:
            self._end()


class _Ticker:
    """Beats until it is stopped."""

    def __init__(self, progress: Progress, label: str, log: Path, started: float) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(progress, label, log, started), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when nothing more will be printed."""
        self._done.set()
        self._thread.join()

    def _run(self, progress: Progress, label: str, log: Path, started: float) -> None:
        while not self._done.wait(progress.interval):
            progress.beat(label, log, time.monotonic() - started)


@contextmanager
def _redirected(output: IO[str]) -> Iterator[None]:
    """Standard output and error, of child processes too, go to this file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, saved in enumerate(kept, 1):
            os.dup2(saved, number)
            os.close(saved)


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
