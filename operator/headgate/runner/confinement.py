"""What keeps scripts, which run as the same user, from a process of ours, and nothing of them behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_IPC_RMID = 0
_KINDS = ("shm", "msg", "sem")
_LONGEST_SECONDS = 10.0
_PAUSE_SECONDS = 0.005
_AFTER_NAME = 2
"""Fields of /proc/<pid>/stat that follow the name: the state, and the parent."""


def close_to_others() -> None:
    """Let no process of the same user read this one's environment and memory."""
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Be the parent of every descendant whose own parent has gone, so that none gets out of sight."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def has_descendants(but: int | None) -> bool:
    """Whether any may be left besides that one; those that have ended are taken note of. Takes no time.

    Orphans are adopted, so that who has no children has no descendants: all of /proc need not be looked at.
    """
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    if but is None:
        return True
    return _children(os.getpid()) != {but} or _children(but) != set()


def end_descendants(spared: int | None = None) -> bool:
    """Kill all that descends from this process, and return whether nothing is left of it but ``spared``.

    A program that forks all the time is overtaken sooner or later; a process that does not die of SIGKILL is not.
    """
    until = time.monotonic() + _LONGEST_SECONDS
    while has_descendants(spared):
        found = _descendants(os.getpid()) - {spared}
        if not found or time.monotonic() >= until:
            return not found
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)
    return True


def is_left(folders: Iterable[Path]) -> bool:
    """Whether anything is in these folders, or outlives processes without being a file. Takes no time."""
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            if next(entries, None) is not None:
                return True
    return any(_system_v(kind) for kind in _KINDS)


def empty(folders: Iterable[Path]) -> None:
    """Delete all that is in these folders, as far as it is ours to delete."""
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in list(os.scandir(folder)):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, onerror=_open_and_retry)
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)


def forget_shared_memory() -> None:
    """Remove what outlives processes without being a file: System V's shared memory, queues and semaphores."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for identifier in _system_v("shm"):
            libc.shmctl(identifier, _IPC_RMID, None)
        for identifier in _system_v("msg"):
            libc.msgctl(identifier, _IPC_RMID, None)
        for identifier in _system_v("sem"):
            libc.semctl(identifier, 0, _IPC_RMID, None)


def _system_v(kind: str) -> list[int]:
    with contextlib.suppress(OSError):
        _, *rows = Path("/proc/sysvipc", kind).read_text().splitlines()
        return [int(row.split()[1]) for row in rows]
    return []


def _open_and_retry(_function: object, path: str, _error: object) -> None:
    """A folder that nobody may look into is its owner's all the same."""
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
        os.chmod(os.path.dirname(path), 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def _children(of: int) -> set[int] | None:
    """None where that cannot be told, as the kernel does not list them or nobody is there."""
    found: set[int] = set()
    try:
        for thread in os.listdir(f"/proc/{of}/task"):
            with contextlib.suppress(ProcessLookupError):
                found.update(map(int, Path("/proc", str(of), "task", thread, "children").read_text().split()))
    except OSError:
        return None
    return found


def _descendants(of: int) -> set[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path("/proc", name, "stat").read_bytes()
                # The name stands in brackets, and may hold any character.
                parents[int(name)] = int(stat[stat.rindex(b")") + _AFTER_NAME :].split()[1])
    found: set[int] = set()
    grown = {of}
    while grown:
        grown = {pid for pid, parent in parents.items() if parent in grown} - found
        found |= grown
    return found
