from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import NAMESPACE
from headgate.engine.run_metrics import RunMetrics
from headgate.reconcile.children import Children
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.shares import Shares
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.teardown import Teardown
from headgate.reconcile.tenants import Tenants
from headgate.reconcile.usage import UsageBook
from headgate.reconcile.workloads import Workloads
from headgate.reconcile.workspaces import WorkspaceReconciler
from tests.builders import WorkspaceBuilder, a_quota, a_workspace
from tests.support.cluster import condition
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.desired.builders import FACTS
from tests.unit.reconcile.fake_engine import FakeEngine

KEY = Key(Topic.WORKSPACE, "acme")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class World:
    """A Workspace on a plan, in a cluster that never counts what ResourceQuotas limit, and a clock."""

    def __init__(self, workspace: WorkspaceBuilder) -> None:
        self.kube, self.cache, self.now = FakeKube(), Cache(), NOON
        self.again: dict[Key, float] = {}
        engine = FakeEngine()
        wall = lambda: self.now  # noqa: E731 - what follows wants a function
        registry = CollectorRegistry()
        effects = EffectHandler(
            Workloads(self.kube, self.cache, ttl_seconds=60),
            lambda _: None,
            RunMetrics(registry, lambda _: None),
            later=lambda _key, _seconds: None,
        )
        dependents = Dependents(lambda _: None)
        built = Children(self.kube, self.cache)
        status = StatusWriter(self.kube, self.cache, identity="me", wall=wall)
        tenants = Tenants(self.cache, engine.workspaces, effects)
        self.reconciler = WorkspaceReconciler(
            self.cache,
            built,
            Shares(self.cache, built, users_of=lambda _: ()),
            Teardown(
                self.kube,
                self.cache,
                built,
                engine.workspaces,
                tenants,
                effects,
                status,
                requeue=self._requeue,
                wall=wall,
            ),
            tenants,
            UsageBook(
                self.cache,
                engine.workspaces,
                registry,
                enqueue=lambda _: None,
                quota_of=lambda _: frozenset(),
                alarm=asyncio.Event(),
            ),
            status,
            lambda: FACTS,
            runners=lambda _: None,
            dependents=dependents,
            requeue=self._requeue,
            park=lambda _: None,
            wall=wall,
        )
        self.cache.upsert(QUOTAS, self.kube.put(QUOTAS, a_quota("team").manifest(), generation=1))
        self.cache.upsert(WORKSPACES, self.kube.put(WORKSPACES, workspace.manifest(), generation=1))

    def _requeue(self, key: Key, seconds: float) -> None:
        self.again[key] = min(seconds, self.again.get(key, seconds))

    async def reconcile(self) -> Any:
        self.again.clear()
        await self.reconciler.reconcile(KEY)
        live: Object | None = self.cache.get(WORKSPACES.key("acme"))
        return condition(live or {}, "Ready").get("reason")


async def test_what_the_cluster_counts_late_is_told_of_within_five_seconds() -> None:
    world = World(a_workspace("acme"))
    assert await world.reconcile() is None, "as a rule it is counted in a moment"

    world.now += timedelta(seconds=world.again[KEY])

    assert await world.reconcile() == "QuotaNotCounted"
    assert (world.now - NOON).total_seconds() <= 3, "that leaves time for a queue"


async def test_a_conflict_is_told_of_before_the_cluster_has_counted_the_other_namespaces() -> None:
    world = World(a_workspace("acme").with_namespace("acme-a").with_namespace("theirs"))
    world.kube.put(NAMESPACE, {"metadata": {"name": "theirs"}})

    assert await world.reconcile() == "NamespaceNotOwned"
