"""Gives up, for good, what the child process does not need."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import time
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38
_FIRST_TO_BE_KILLED = "1000"
_OPEN_FILES = 8
"""Standard streams and room for reading a time zone."""
_CPU_SLACK_SECONDS = 2


def confine(memory_bytes: int) -> None:
    """Limit this process: ``memory_bytes`` of address space more than now, no writing of files, no core, no privileges.

    Linux only. Raises ``OSError`` where the kernel refuses.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    # When the pod runs out of memory, the kernel is to take the child and leave the operator.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_BE_KILLED, encoding="ascii")
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    address_space = pages * os.sysconf("SC_PAGE_SIZE") + memory_bytes
    for limit, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(limit, (value, value))


def allow_cpu(seconds: float) -> None:
    """Have the kernel kill this process a little after ``seconds`` more of CPU time, should everything else fail."""
    until = int(time.process_time() + seconds) + _CPU_SLACK_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
