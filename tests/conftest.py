"""How tests are shared out where several processes run them, and how each gets ready."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest
from xdist.remote import Producer

from tests.support.sharing import ClustersApart, Owners, is_of_cluster

GIVING_WAY = 5
"""The niceness of tests that run beside those of the cluster, which mostly wait for something to happen there."""
OWNERS = pytest.StashKey[Owners]()

# Until all tests are collected: what is loaded stays, and to look for garbage in it took a quarter of the time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ClustersApart:
    return ClustersApart(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    # Told to the process before it starts: it has to know which cluster is its own.
    owners = node.config.stash.setdefault(OWNERS, Owners())
    node.workerinput["cluster"] = owners.give(node.gateway.id, node.workerinput["workercount"])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    # One that crashed is replaced by another, which then has what it had.
    node.config.stash[OWNERS].take_back(node.gateway.id)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and not is_of_cluster(item.nodeid):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(own, GIVING_WAY))
