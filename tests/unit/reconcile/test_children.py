from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.api.workspace import Workspace
from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.desired.keys import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    NAMESPACE,
    NETWORK_POLICY,
    RESOURCE_QUOTA,
    ROLE_BINDING,
    ApiResource,
    child_kind,
)
from headgate.desired.plan import Plan
from headgate.desired.workspace import children
from headgate.domain.reasons import Reason
from headgate.reconcile.children import Children
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.desired.builders import FACTS, a_member, a_quota, a_workspace

ACME = a_workspace(members=[a_member()])
DENY = NETWORK_POLICY.key("headgate-default-deny", "acme")
QUOTA = RESOURCE_QUOTA.key("headgate", "acme")
OWNERS = ROLE_BINDING.key("headgate-owner", "acme")
REFUSED = ApiError(403, "Forbidden", "no")


class World:
    """A cluster, and children that are brought about in it."""

    def __init__(self, kube: FakeKube | None = None) -> None:
        self.kube, self.cache = kube or FakeKube(), Cache()
        self.children = Children(self.kube, self.cache)

    async def bring_about(self, workspace: Workspace = ACME) -> Plan:
        self.kube.requests.clear()
        return await self.children.bring_about("acme", children(workspace, a_quota(), FACTS))

    def sees(self) -> None:
        """A watch tells everything."""
        for key, item in self.kube.objects.items():
            kind = child_kind(key.group, key.kind)
            assert kind is not None
            self.cache.upsert(kind, item)


class Selective(FakeKube):
    """Refuses to create or apply objects of one kind."""

    def __init__(self, refused: ApiResource) -> None:
        super().__init__()
        self.refused: ApiResource | None = refused

    async def apply(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        if resource == self.refused:
            raise REFUSED
        return await super().apply(resource, manifest)

    async def create(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        if resource == self.refused:
            raise REFUSED
        return await super().create(resource, manifest)


async def test_everything_is_made_with_one_request_each_and_the_namespace_first() -> None:
    world = World()

    await world.bring_about()

    wanted = children(ACME, a_quota(), FACTS)
    assert len(world.kube.objects) == len(wanted) == len(world.kube.requests)
    assert world.kube.verbs()[0] == "create Namespace acme"


async def test_one_that_the_cache_has_not_seen_is_applied() -> None:
    world = World()
    world.kube.put(NETWORK_POLICY, {"metadata": {"name": DENY.name, "namespace": DENY.namespace}})

    await world.bring_about()

    assert f"apply {DENY}" in world.kube.verbs()
    assert (await world.bring_about()).is_empty


class Slow(FakeKube):
    """Takes its time over everything but bindings, and knows none whose role is not there."""

    async def create(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        if resource not in (ROLE_BINDING, CLUSTER_ROLE_BINDING):
            await asyncio.sleep(0)
        role = manifest.get("roleRef", {})
        if role.get("name", "").startswith("headgate:") and CLUSTER_ROLE.key(role["name"]) not in self.objects:
            raise ApiError(404, "NotFound", f"{manifest['kind']} {manifest['metadata']['name']} not found")
        return await super().create(resource, manifest)


async def test_members_get_in_when_all_else_is_there() -> None:
    world = World(Slow())

    await world.bring_about()

    kinds = [verb.split()[1] for verb in world.kube.verbs()]
    bindings = [kind for kind in kinds if kind.endswith("Binding")]
    assert {*bindings} == {"RoleBinding", "ClusterRoleBinding"}
    assert kinds[-len(bindings) :] == bindings


async def test_where_nothing_differs_nothing_is_asked_or_written() -> None:
    world = World()
    await world.bring_about()

    assert (await world.bring_about()).is_empty
    assert world.kube.requests == []


async def test_drift_is_repaired() -> None:
    world = World()
    await world.bring_about()
    drifted = world.kube.objects[QUOTA]
    world.kube.put(RESOURCE_QUOTA, {**drifted, "spec": {"hard": {"pods": "5000"}}})
    world.sees()

    await world.bring_about()

    assert world.kube.verbs("apply") == [f"apply {QUOTA}"]
    assert world.kube.objects[QUOTA]["spec"] == drifted["spec"]
    assert (await world.bring_about()).is_empty


async def test_what_others_added_is_taken_off() -> None:
    world = World()
    await world.bring_about()
    drifted = world.kube.objects[DENY]
    world.kube.put(NETWORK_POLICY, {**drifted, "spec": {**drifted["spec"], "extra": True}})
    world.sees()

    await world.bring_about()

    assert world.kube.verbs("patch") == [f"patch {DENY}"]
    assert world.kube.objects[DENY]["spec"] == drifted["spec"]
    assert (await world.bring_about()).is_empty


async def test_a_child_that_was_deleted_is_made_again() -> None:
    world = World()
    await world.bring_about()
    world.cache.remove(NETWORK_POLICY, world.kube.vanish(NETWORK_POLICY, DENY.name, DENY.namespace))

    await world.bring_about()

    assert world.kube.verbs() == [f"create {DENY}"]
    assert (await world.bring_about()).is_empty


async def test_what_is_no_longer_wanted_goes() -> None:
    world = World()
    await world.bring_about()

    await world.bring_about(a_workspace())

    assert world.kube.verbs() == [
        "delete ClusterRole headgate:workspace:acme",
        "delete ClusterRoleBinding headgate:workspace:acme",
        f"delete {OWNERS}",
    ]
    assert (await world.bring_about(a_workspace())).is_empty


@pytest.mark.parametrize("error", [ApiError(404, "NotFound", "gone"), ApiError(409, "Conflict", "another uid")])
async def test_what_is_gone_already_is_as_good_as_deleted(error: ApiError) -> None:
    world = World()
    await world.bring_about()
    world.kube.fail("delete", error)

    await world.bring_about(a_workspace())

    assert world.cache.get(OWNERS) is None


async def test_only_that_very_object_is_deleted() -> None:
    world = World()
    await world.bring_about()
    world.kube.vanish(ROLE_BINDING, OWNERS.name, OWNERS.namespace)
    world.kube.put(ROLE_BINDING, {"metadata": {"name": OWNERS.name, "namespace": OWNERS.namespace}})

    await world.bring_about(a_workspace())

    assert OWNERS in world.kube.objects


async def test_what_cannot_be_changed_is_made_anew() -> None:
    world = World()
    await world.bring_about()
    binding = world.kube.objects[OWNERS]
    world.kube.put(ROLE_BINDING, {**binding, "roleRef": {**binding["roleRef"], "name": "cluster-admin"}})
    world.sees()

    await world.bring_about()

    assert world.kube.verbs() == [f"delete {OWNERS}", f"create {OWNERS}"]
    assert world.kube.objects[OWNERS]["roleRef"] == binding["roleRef"]
    assert (await world.bring_about()).is_empty


class TestNamespaces:
    async def test_one_of_someone_else_is_left_alone(self) -> None:
        world = World()
        world.kube.put(NAMESPACE, {"metadata": {"name": "acme"}})

        planned = await world.bring_about()

        assert [conflict.reason for conflict in planned.conflicts] == [Reason.NAMESPACE_NOT_OWNED]
        assert [verb for verb in world.kube.verbs() if "Cluster" not in verb] == ["create Namespace acme"]
        assert planned.create == ()
        assert "labels" not in world.kube.objects[NAMESPACE.key("acme")]["metadata"]

    async def test_one_of_ours_that_the_cache_has_not_seen_is_gone_on_with(self) -> None:
        world = World()
        (namespace,) = [m for m in children(ACME, a_quota(), FACTS) if m["kind"] == "Namespace"]
        world.kube.put(NAMESPACE, namespace)

        planned = await world.bring_about()

        assert planned.conflicts == ()
        assert DENY in world.kube.objects

    async def test_one_that_is_taken_does_not_hold_up_another(self) -> None:
        world = World()
        world.kube.put(NAMESPACE, {"metadata": {"name": "acme"}})
        both = a_workspace(namespaces=[{"name": "acme"}, {"name": "acme-dev"}])

        planned = await world.bring_about(both)

        assert [conflict.namespace for conflict in planned.conflicts] == ["acme"]
        assert NETWORK_POLICY.key(DENY.name, "acme-dev") in world.kube.objects
        assert DENY not in world.kube.objects

    async def test_nor_does_one_that_is_refused(self) -> None:
        world = World()
        both = a_workspace(namespaces=[{"name": "acme"}, {"name": "acme-dev"}])
        world.kube.fail("create", REFUSED)

        with pytest.raises(ApiError):
            await world.bring_about(both)

        assert NETWORK_POLICY.key(DENY.name, "acme-dev") in world.kube.objects
        assert not [key for key in world.kube.objects if key.namespace == "acme"]


class TestFailures:
    async def test_one_that_is_refused_does_not_hold_up_others(self) -> None:
        world = World(Selective(ROLE_BINDING))

        with pytest.raises(ApiError) as raised:
            await world.bring_about()

        assert raised.value is REFUSED
        assert set(world.kube.objects) > {DENY, QUOTA}

    async def test_it_is_tried_again_and_nothing_else_is(self) -> None:
        kube = Selective(ROLE_BINDING)
        world = World(kube)
        with pytest.raises(ApiError):
            await world.bring_about()
        kube.refused = None

        await world.bring_about()

        assert world.kube.verbs() == [f"create {OWNERS}"]

    async def test_what_is_to_go_goes_though_something_else_is_refused(self) -> None:
        kube = Selective(RESOURCE_QUOTA)
        world = World(kube)
        kube.refused = None
        await world.bring_about()
        kube.refused = RESOURCE_QUOTA
        world.cache.remove(RESOURCE_QUOTA, kube.vanish(RESOURCE_QUOTA, QUOTA.name, QUOTA.namespace))

        with pytest.raises(ApiError):
            await world.bring_about(a_workspace())

        assert OWNERS not in kube.objects

    @pytest.mark.parametrize("verb", ["create", "apply"])
    async def test_that_the_server_is_away_is_told(self, verb: str) -> None:
        world = World()
        world.kube.fail(verb, Unreachable("away"))

        with pytest.raises(Unreachable):
            await world.bring_about()

    async def test_a_deletion_that_is_refused_is_told_and_not_taken_for_done(self) -> None:
        world = World()
        await world.bring_about()
        world.kube.fail("delete", REFUSED, REFUSED, REFUSED)

        with pytest.raises(ApiError):
            await world.bring_about(a_workspace())

        assert world.cache.get(OWNERS) is not None


async def test_a_namespace_that_is_let_go_is_left_before_nothing_can_be_written_there_any_more() -> None:
    world = World()
    await world.bring_about()
    world.sees()
    written_before: list[list[str]] = []

    async def leave(namespace: str) -> None:
        assert namespace == "acme"
        written_before.append(world.kube.verbs())

    world.kube.requests.clear()
    await Children(world.kube, world.cache, leave=leave).release("acme", "acme")

    assert written_before == [[]]
    assert world.kube.verbs()[-1] == "apply Namespace acme"


async def test_a_cancelled_reconciliation_stops() -> None:
    class Stuck(FakeKube):
        async def create(self, *args: Any) -> Object:
            await asyncio.Event().wait()
            raise AssertionError

    task = asyncio.create_task(World(Stuck()).bring_about())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
