"""How tests are shared out where several processes run them."""

from __future__ import annotations

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

CLUSTER = "tests/cluster/"
GIVING_WAY = 5
"""The niceness of tests that run beside those of the cluster, which mostly wait for something to happen there."""


class ClusterApart(LoadScopeScheduling):  # type: ignore[misc]  # it comes without types
    """All tests of the cluster in one process, in their order, as they change one cluster; others beside it, by file.

    ``--dist=loadgroup`` would say the same, and groups nothing under pytest 9.2 (pytest-xdist 3.8.0).
    """

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER if nodeid.startswith(CLUSTER) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ClusterApart:
    # Folder by folder, and not those with most tests first: a file with one long test would come last, with nothing
    # left to do beside it. Of unit tests, which are the last folder, no file takes long.
    config.option.loadscopereorder = False
    return ClusterApart(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith(CLUSTER):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(own, GIVING_WAY))
