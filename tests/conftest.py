"""How tests are shared out where several processes run them."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

CLUSTER = "tests/cluster/"


class ClusterApart(LoadScopeScheduling):  # type: ignore[misc]  # it comes without types
    """All tests of the cluster in one process, in their order, as they change one cluster; others beside it, by file.

    ``--dist=loadgroup`` would say the same, and groups nothing under pytest 9.2 (pytest-xdist 3.8.0).
    """

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER if nodeid.startswith(CLUSTER) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ClusterApart:
    return ClusterApart(config, log)
