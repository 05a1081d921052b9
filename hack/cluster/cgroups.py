"""The cluster's own cgroup, in whichever cgroup version the machine has."""

from __future__ import annotations

import errno
import time
from pathlib import Path

_PATIENCE = 10.0


def hierarchies() -> list[Path]:
    """Every mounted cgroup hierarchy: one with cgroup v2, a dozen with v1."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] in {"cgroup", "cgroup2"}:
            found.append(Path(before.split()[4]))
    return found


def create(group: str) -> None:
    """Makes the group, and `components` in it, in every hierarchy."""
    for root in hierarchies():
        for folder in (root / group.lstrip("/"), root / group.lstrip("/") / "components"):
            folder.mkdir(exist_ok=True)
            # A new v1 cpuset is empty, and no process may enter an empty one.
            for name in ("cpuset.mems", "cpuset.cpus"):
                knob = folder / name
                inherited = folder.parent / name
                if knob.exists() and inherited.exists() and not knob.read_text().strip():
                    knob.write_text(inherited.read_text())


def entrances(group: str) -> list[Path]:
    """The files to which a process writes 0 to move itself among the cluster's components."""
    return [root / group.lstrip("/") / "components" / "cgroup.procs" for root in hierarchies()]


def members(group: str) -> set[int]:
    """The pids of everything in the group: components, container shims and pods."""
    pids: set[int] = set()
    for folder in _folders(group):
        try:
            pids.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
        except OSError:
            continue  # a cgroup that just went away, or a threaded one, has no members to tell of
    return pids


def remove(group: str) -> None:
    """Removes the empty group; does nothing when there is none."""
    deadline = time.monotonic() + _PATIENCE
    while folders := _folders(group):
        try:
            for folder in folders:
                folder.rmdir()
        except OSError as problem:
            # A process that has ended keeps its cgroup busy until somebody has asked for its exit code.
            if problem.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _folders(group: str) -> list[Path]:
    """The group's folders in every hierarchy, the deepest first."""
    found: list[Path] = []
    for root in hierarchies():
        top = root / group.lstrip("/")
        if top.is_dir():
            below = [path for path in top.rglob("*") if path.is_dir()]
            found.extend(sorted(below, key=lambda path: -len(path.parts)))
            found.append(top)
    return found
