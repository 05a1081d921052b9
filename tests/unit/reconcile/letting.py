"""Letting Jobs go, as tests of those who do so want it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient
from headgate.engine.engine import Engine
from headgate.reconcile.letting_go import LetGo
from headgate.reconcile.workloads import Workloads

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def a_let_go(
    kube: KubeClient,
    cache: Cache,
    workloads: Workloads,
    engine: Engine,
    *,
    ttl: timedelta = timedelta(hours=1),
    with_logs: bool = True,
    wall: Callable[[], datetime] = lambda: NOON,
) -> LetGo:
    """Jobs stay for an hour, unless the test says otherwise."""
    return LetGo(kube, cache, workloads, engine.logs, ttl=ttl, with_logs=with_logs, wall=wall)
