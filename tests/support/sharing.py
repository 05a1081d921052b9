"""How tests are shared out where several processes run them: by file, and who has a cluster.

A cluster belongs to one process at a time, as tests of it change what all of it shares. While any of them are left, a
process that has a cluster takes no others; a process without one never takes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from hack.test import CLUSTERS

CLUSTER = "tests/cluster/"
ON_ONE_STAGE = "tests/cluster/escape/"
"""The files in here share what takes longest to make."""
LAST = "tests/cluster/test_uninstall.py"
"""It takes away what all others share, so that nothing comes after it on its cluster."""

SECONDS = {
    "tests/cluster/escape/": 120,
    "tests/cluster/test_chart.py": 50,
    "tests/cluster/test_crashes.py": 115,
    "tests/cluster/test_database.py": 70,
    "tests/cluster/test_faults.py": 75,
    "tests/cluster/test_fire.py": 60,
    "tests/cluster/test_generated_objects.py": 70,
    "tests/cluster/test_lifecycle.py": 50,
    "tests/cluster/test_logs.py": 140,
    "tests/cluster/test_run_control.py": 50,
    "tests/cluster/test_runs.py": 100,
    "tests/cluster/test_sharing_dispatch.py": 50,
    "tests/cluster/test_soak.py": 110,
    "tests/cluster/test_uninstall.py": 150,
}
"""About how long they take. A wrong number makes nothing wrong, but some process wait in the end."""
USUAL_SECONDS = 25
"""How long one of the cluster takes that is not listed."""
WORTH_SECONDS = 300
"""Of tests that are to be run before a second cluster is worth it: half a minute and a core go into bringing it up."""


def unit(nodeid: str) -> str:
    """What is run by one process, in its order: a file, or all that is tried on one stage."""
    return ON_ONE_STAGE if nodeid.startswith(ON_ONE_STAGE) else nodeid.partition("::")[0]


def is_of_cluster(unit: str) -> bool:
    """Whether its tests need one."""
    return unit.startswith(CLUSTER)


def seconds(unit: str) -> int:
    """About how long one of the cluster takes."""
    return SECONDS.get(unit, USUAL_SECONDS)


def clusters(processes: int) -> int:
    """How many of so many processes may have a cluster: one is left for the tests that need none."""
    return max(1, min(CLUSTERS, processes - 1))


def worth(units: Iterable[str]) -> int:
    """How many clusters these are worth."""
    return CLUSTERS if sum(seconds(each) for each in units if is_of_cluster(each)) >= WORTH_SECONDS else 1


def chosen(units: Collection[str], *, with_cluster: bool) -> str | None:
    """What a process does next of what is left, or None where none of it is for this one.

    Of the cluster the longest first, so that the shares end together. Others come folder by folder, as they are
    collected, and not those with most tests first: a file with one long test would come last, with nothing left to do
    beside it. Of unit tests, which are the last folder, no file takes long.
    """
    of_cluster = [each for each in units if is_of_cluster(each)] if with_cluster else []
    if of_cluster:
        return max(of_cluster, key=lambda each: (each != LAST, seconds(each)))
    return next((each for each in units if not is_of_cluster(each)), None)


class Owners:
    """Which process has which cluster."""

    def __init__(self) -> None:
        self._owners: dict[int, str] = {}

    def give(self, process: str, processes: int) -> int | None:
        """The number of a cluster that this one of so many has from now on; None where there is none for it."""
        free = [number for number in range(clusters(processes)) if number not in self._owners]
        if not free:
            return None
        self._owners[free[0]] = process
        return free[0]

    def take_back(self, process: str) -> None:
        """What the process had is free again."""
        self._owners = {number: owner for number, owner in self._owners.items() if owner != process}


class ClustersApart(LoadScopeScheduling):  # type: ignore[misc]  # it comes without types
    """xdist's scheduling by file, which goes by ``chosen``.

    ``--dist=loadgroup`` knows groups and no owners, and groups nothing under pytest 9.2 (pytest-xdist 3.8.0).
    """

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    @cached_property
    def _worth(self) -> int:
        return worth({unit(nodeid) for nodeid in self.collection})

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        number = node.workerinput["cluster"]
        found = chosen(self.workqueue, with_cluster=number is not None and number < self._worth)
        if found is None:
            # What is left is for others. It ends when it has done what it was given.
            node.shutdown()
            return
        self.workqueue.move_to_end(found, last=False)
        super()._assign_work_unit(node)
