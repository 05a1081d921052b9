"""Processes that outlive us, known by pid and start time so that a recycled pid is never mistaken for one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# The subshell enters the cgroups and then becomes the program, so $! is the program's pid. Its parent
# exits at once: the program belongs to init, and nobody has to wait for it.
_LAUNCH = """
log=$1; shift
(
  while [ "$1" != -- ]; do echo 0 > "$1"; shift; done
  shift
  exec "$@"
) >> "$log" 2>&1 < /dev/null &
echo $!
"""


def boot_id() -> str:
    """Differs after every boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Process:
    """One process of this boot, and no later one that got the same pid."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this pid now; None when there is none, or it only waits to be reaped."""
        try:
            # The command name is in parentheses and may itself hold spaces or parentheses.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Process.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signals this very process; does nothing when it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # Checked with the handle held: from here on the pid cannot come to mean another process.
            if self.alive():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)


def spawn(
    argv: list[str], *, environment: Mapping[str, str], log: Path, cgroup_entrances: list[Path], folder: Path
) -> Process:
    """Starts a program in its own session and cgroups, detached from us; its output is added to the log.

    ``environment`` comes on top of ours.
    """
    done = subprocess.run(
        ["sh", "-c", _LAUNCH, "sh", str(log), *map(str, cgroup_entrances), "--", *argv],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,
        cwd=folder,
        env={**os.environ, **environment},
    )
    process = Process.of(int(done.stdout))
    if process is None:
        raise RuntimeError(f"{argv[0]} ended at once; see {log}:\n{tail(log)}")
    return process


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
