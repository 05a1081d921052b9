from __future__ import annotations

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from headgate.api.workspace import Workspace
from headgate.cluster.cache import Cache
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import CUSTOM_RESOURCE_DEFINITIONS, WORKSPACES
from headgate.desired.keys import LIMIT_RANGE, NAMESPACE
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Effects
from headgate.reconcile.children import Children
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.parsing import parse
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.teardown import FINALIZER, Teardown
from headgate.reconcile.tenants import Tenants
from headgate.reconcile.workloads import Workloads
from headgate.store.errors import DatabaseAbsent, DatabaseUnavailable
from tests.builders import a_workspace
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine

KEY = WORKSPACES.key("acme")
OURS = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "acme"}
GOING = "2026-03-01T12:00:00Z"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class World:
    """A Workspace in a cluster, with two namespaces, that is taken down."""

    def __init__(self, policy: str = "Delete", *finalizers: str) -> None:
        self.kube, self.cache, self.engine = FakeKube(), Cache(), FakeEngine()
        self.kube.put(CUSTOM_RESOURCE_DEFINITIONS, {"metadata": {"name": "workspaces.headgate.dev"}})
        body = a_workspace("acme").with_spec(deletionPolicy=policy).manifest()
        self.cache.upsert(WORKSPACES, self.kube.put(WORKSPACES, body, finalizers=list(finalizers)))
        for name in ("acme", "acme-dev"):
            made = self.kube.put(NAMESPACE, {"metadata": {"name": name, "finalizers": ["kubernetes"]}}, labels=OURS)
            self.cache.upsert(NAMESPACE, made)
        workloads = Workloads(self.kube, self.cache, ttl_seconds=60)
        self.effects = EffectHandler(
            workloads,
            lambda _: None,
            RunMetrics(CollectorRegistry(), lambda _: None),
            later=lambda _key, _seconds: None,
        )
        self.again: list[float] = []
        self.teardown = self.a_teardown(self.kube)

    def a_teardown(self, kube: FakeKube) -> Teardown:
        return Teardown(
            kube,
            self.cache,
            Children(kube, self.cache),
            self.engine.workspaces,
            Tenants(self.cache, self.engine.workspaces, self.effects),
            self.effects,
            StatusWriter(kube, self.cache, identity="me", wall=lambda: NOON),
            requeue=lambda _, seconds: self.again.append(seconds),
            wall=lambda: NOON,
        )

    async def delete(self) -> None:
        """Someone deletes the Workspace."""
        await self.kube.delete(WORKSPACES, "acme")
        self.kube.requests.clear()
        if KEY in self.kube.objects:
            self.cache.upsert(WORKSPACES, self.kube.objects[KEY])

    async def take_down(self) -> None:
        live = self.cache.get(KEY)
        assert live is not None
        await self.teardown.take_down(Key(Topic.WORKSPACE, "acme"), live, parse(Workspace, live))

    def namespaces_go(self) -> None:
        """Kubernetes has emptied them, and a watch tells of it."""
        for name in ("acme", "acme-dev"):
            self.cache.remove(NAMESPACE, self.kube.vanish(NAMESPACE, name))


class TestGuard:
    async def test_the_finalizer_is_added_beside_those_of_others(self) -> None:
        world = World("Delete", "example.com/theirs")

        live = await world.teardown.guard(world.cache.get(KEY) or {}, wanted=True)

        assert live["metadata"]["finalizers"] == ["example.com/theirs", FINALIZER]
        assert world.cache.get(KEY) == live

    async def test_it_is_taken_off_and_those_of_others_stay(self) -> None:
        world = World("Retain", FINALIZER, "example.com/theirs")

        live = await world.teardown.guard(world.cache.get(KEY) or {}, wanted=False)

        assert live["metadata"]["finalizers"] == ["example.com/theirs"]

    async def test_a_finalizer_that_someone_else_adds_meanwhile_is_not_lost(self) -> None:
        world = World("Delete")
        stale = world.cache.get(KEY) or {}
        world.kube.put(WORKSPACES, world.kube.objects[KEY], finalizers=["example.com/theirs"])

        with pytest.raises(ApiError) as raised:
            await world.teardown.guard(stale, wanted=True)

        assert raised.value.is_conflict


class TestDelete:
    async def test_namespaces_go_first(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()

        await world.take_down()

        assert sorted(world.kube.verbs()) == ["delete Namespace acme", "delete Namespace acme-dev"]
        assert world.engine.told == [("suspend", "acme")]
        assert FINALIZER in world.kube.objects[KEY]["metadata"]["finalizers"]

    async def test_while_they_go_they_are_not_deleted_again(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        await world.take_down()
        for name in ("acme", "acme-dev"):
            world.cache.upsert(NAMESPACE, world.kube.objects[NAMESPACE.key(name)])
        world.kube.requests.clear()

        await world.take_down()

        assert world.kube.verbs() == []

    async def test_then_the_workspace_is_retired_and_let_go(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        await world.take_down()
        world.namespaces_go()

        await world.take_down()

        assert world.engine.told[-1] == ("retire", "acme")
        assert KEY not in world.kube.objects

    async def test_what_follows_for_its_runs_is_done(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        world.namespaces_go()
        world.engine.effects = Effects(tasks_queued=True)

        await world.take_down()

        assert world.effects.work.is_set()

    async def test_it_is_not_let_go_before_it_is_retired(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        world.namespaces_go()
        world.engine.fail(DatabaseUnavailable("away"))

        with pytest.raises(DatabaseUnavailable):
            await world.take_down()

        assert KEY in world.kube.objects

    async def test_the_answer_to_that_does_not_bring_it_back(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        world.namespaces_go()

        class Late(FakeKube):
            """A watch tells of the deletion before the answer to the patch is read."""

            async def merge_patch(self, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
                before = world.kube.objects[KEY]
                answer = await world.kube.merge_patch(WORKSPACES, "acme", "", args[-1])  # type: ignore[arg-type]
                world.cache.remove(WORKSPACES, answer)
                return {**before, "metadata": {**before["metadata"], "finalizers": []}}

        live = world.cache.get(KEY) or {}
        await world.a_teardown(Late()).guard(live, wanted=False)

        assert world.cache.get(KEY) is None

    async def test_runs_under_way_are_waited_for_and_nothing_new_starts(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        world.engine.running = 2

        await world.take_down()

        assert world.kube.verbs("delete") == []
        assert world.engine.told == [("suspend", "acme")]
        assert world.again
        (ready, *_) = world.kube.objects[KEY]["status"]["conditions"]
        assert (ready["reason"], world.kube.objects[KEY]["status"]["activeRuns"]) == ("RunsUnderWay", 2)

    async def test_they_are_not_where_deletion_is_forced(self) -> None:
        world = World("Delete", FINALIZER)
        world.kube.put(WORKSPACES, world.kube.objects[KEY], annotations={"headgate.dev/force-delete": "true"})
        await world.delete()
        world.engine.running = 2

        await world.take_down()

        assert sorted(world.kube.verbs()) == ["delete Namespace acme", "delete Namespace acme-dev"]

    async def test_an_adopted_namespace_is_let_go_with_what_was_put_into_it(self) -> None:
        world = World("Delete", FINALIZER)
        adopted = world.kube.put(
            NAMESPACE, {"metadata": {"name": "shop"}}, labels=OURS, annotations={"headgate.dev/adopted": "true"}
        )
        inside = world.kube.put(LIMIT_RANGE, {"metadata": {"name": "headgate", "namespace": "shop"}}, labels=OURS)
        world.cache.upsert(NAMESPACE, adopted)
        world.cache.upsert(LIMIT_RANGE, inside)
        await world.delete()

        await world.take_down()

        assert "delete Namespace shop" not in world.kube.verbs()
        assert LIMIT_RANGE.key("headgate", "shop") not in world.kube.objects
        assert "apply Namespace shop" in world.kube.verbs()

    async def test_where_no_database_was_ever_configured_nothing_is_waited_for(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        world.namespaces_go()
        world.engine.fail(DatabaseAbsent("none"), DatabaseAbsent("none"))

        await world.take_down()

        assert KEY not in world.kube.objects

    async def test_namespaces_of_others_stay(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        theirs = {"metadata": {"name": "globex"}}
        world.cache.upsert(
            NAMESPACE, world.kube.put(NAMESPACE, theirs, labels={**OURS, "headgate.dev/workspace": "globex"})
        )

        await world.take_down()

        assert "delete Namespace globex" not in world.kube.verbs()

    @pytest.mark.parametrize("gone", [True, False], ids=["gone", "going"])
    async def test_when_headgate_is_uninstalled_nothing_of_a_tenant_s_is_deleted(self, *, gone: bool) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        definition = world.kube.vanish(CUSTOM_RESOURCE_DEFINITIONS, "workspaces.headgate.dev")
        if not gone:
            world.kube.put(CUSTOM_RESOURCE_DEFINITIONS, definition, deletionTimestamp=GOING)

        await world.take_down()

        assert NAMESPACE.key("acme") in world.kube.objects
        assert world.engine.told == []
        assert KEY not in world.kube.objects

    async def test_where_that_cannot_be_told_nothing_is_done(self) -> None:
        world = World("Delete", FINALIZER)
        await world.delete()
        world.kube.fail("get", ApiError(500, "InternalError", "etcd"))

        with pytest.raises(ApiError):
            await world.take_down()

        assert world.kube.verbs() == []


async def test_retained_namespaces_stay_and_the_workspace_goes() -> None:
    world = World("Retain", FINALIZER)
    await world.delete()

    await world.take_down()

    assert NAMESPACE.key("acme") in world.kube.objects
    assert KEY not in world.kube.objects
    assert world.engine.told == []


async def test_a_workspace_that_waits_for_others_finalizers_is_left_alone() -> None:
    world = World("Delete", "example.com/theirs")
    await world.delete()

    await world.take_down()

    assert world.kube.verbs() == []


async def test_one_that_is_gone_meanwhile_is_as_good() -> None:
    world = World("Retain", FINALIZER)
    await world.delete()
    world.kube.vanish(WORKSPACES, "acme")

    await world.take_down()


async def test_when_the_workspace_is_gone_its_namespaces_start_no_run() -> None:
    world = World()

    await world.teardown.forgotten("acme")

    assert world.engine.told == [("suspend", "acme")]
