from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from headgate.api.circuit_breaker import BreakerState
from headgate.cluster.cache import Cache
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import RESOURCE_QUOTA
from headgate.engine.types import BreakerView, WorkspaceUsage
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.usage import UsageBook
from headgate.store.errors import DatabaseUnavailable
from tests.builders import a_workspace
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine

ACME = WorkspaceUsage(
    workspace_id=UUID(int=1),
    name="acme",
    pot=None,
    running=1,
    pending=0,
    executions_today=7,
    storage_bytes=0,
    breaker=BreakerView(),
)
BOTH = {Key(Topic.WORKSPACE, "acme"), Key(Topic.QUOTA, "team")}


class World:
    def __init__(self) -> None:
        self.kube, self.cache, self.engine, self.registry = FakeKube(), Cache(), FakeEngine(), CollectorRegistry()
        self.engine.used = (ACME,)
        self.recorded_as(ACME.workspace_id)
        self.enqueued: set[Key] = set()
        self.book = UsageBook(
            self.cache,
            self.engine.workspaces,
            self.registry,
            enqueue=self.enqueued.add,
            quota_of=lambda _: frozenset({QUOTAS.key("team")}),
            alarm=asyncio.Event(),
        )

    def recorded_as(self, workspace_id: UUID | None) -> None:
        """The Workspace ``acme`` says so."""
        status = {"workspaceId": str(workspace_id)} if workspace_id else {}
        self.cache.upsert(WORKSPACES, self.kube.put(WORKSPACES, {**a_workspace("acme").manifest(), "status": status}))

    async def look(self) -> set[Key]:
        self.enqueued.clear()
        await self.book.once()
        return set(self.enqueued)

    def uses(self, pods: str) -> None:
        labels = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "acme"}
        item = {
            "metadata": {"name": "headgate", "namespace": "acme", "labels": labels, "uid": "q"},
            "spec": {"hard": {"pods": "9"}},
            "status": {"used": {"pods": pods}},
        }
        self.cache.upsert(RESOURCE_QUOTA, self.kube.put(RESOURCE_QUOTA, item))


async def test_a_workspace_and_its_plan_are_looked_at_when_what_it_uses_changed() -> None:
    world = World()
    assert await world.look() == BOTH

    assert await world.look() == set()
    world.engine.used = (replace(ACME, running=2),)
    assert await world.look() == BOTH
    assert world.book.of("acme") == replace(ACME, running=2)


async def test_one_that_was_made_again_has_nothing_of_its_namesake_s() -> None:
    world = World()
    await world.look()

    world.recorded_as(None)
    assert world.book.of("acme") is None
    world.recorded_as(UUID(int=2))
    assert world.book.of("acme") is None

    world.engine.used = (replace(ACME, workspace_id=UUID(int=2), executions_today=0),)
    assert await world.look() == BOTH
    assert world.book.of("acme") == world.engine.used[0]


async def test_what_the_cluster_counts_is_looked_at_as_well() -> None:
    world = World()
    world.uses("1")
    await world.look()
    assert await world.look() == set()

    world.uses("2")

    assert await world.look() == BOTH


async def test_what_was_known_stays_while_postgres_is_away() -> None:
    world = World()
    await world.look()
    world.engine.fail(DatabaseUnavailable("away"))

    with pytest.raises(DatabaseUnavailable):
        await world.book.once()

    assert world.book.of("acme") == ACME


async def test_metrics_of_a_workspace_go_with_it() -> None:
    world = World()
    world.engine.used = (replace(ACME, breaker=BreakerView(BreakerState.OPEN)),)
    await world.look()
    assert world.registry.get_sample_value("headgate_circuit_breaker_open", {"workspace": "acme"}) == 1

    world.engine.used = ()
    await world.look()

    assert world.registry.get_sample_value("headgate_circuit_breaker_open", {"workspace": "acme"}) is None
