from __future__ import annotations

from typing import Any

from headgate.api.quota import Quota
from headgate.api.workspace import Workspace
from headgate.cluster.cache import Cache
from headgate.cluster.resources import WORKSPACES
from headgate.desired.inventory import take_stock
from headgate.desired.keys import RESOURCE_QUOTA
from headgate.reconcile.children import Children
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.shares import Division, Shares
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.desired.builders import FACTS, a_quota, a_workspace

CPU = "requests.cpu"


class World:
    """Workspaces on one plan, and the ResourceQuotas that they have."""

    def __init__(self, **quota: Any) -> None:
        self.kube, self.cache = FakeKube(), Cache()
        self.quota: Quota = a_quota(compute={CPU: "10"}, **quota)
        self.names: list[str] = []
        self.shares = Shares(
            self.cache,
            Children(self.kube, self.cache),
            users_of=lambda _: tuple(Key(Topic.WORKSPACE, name) for name in self.names),
        )

    def workspace(self, name: str, **spec: Any) -> Workspace:
        workspace = a_workspace(name, **spec)
        self.names.append(name)
        body = {"metadata": {"name": name}, "spec": workspace.spec.to_wire()}
        self.cache.upsert(WORKSPACES, self.kube.put(WORKSPACES, body))
        return workspace

    def has(self, workspace: str, namespace: str, hard: str, used: str = "0") -> None:
        """The namespace has a ResourceQuota that says so."""
        labels = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": workspace}
        item = {
            "metadata": {"name": "headgate", "namespace": namespace, "labels": labels},
            "spec": {"hard": {CPU: hard}},
            "status": {"used": {CPU: used}},
        }
        self.cache.upsert(RESOURCE_QUOTA, self.kube.put(RESOURCE_QUOTA, item))

    async def divide(self, workspace: Workspace) -> Division:
        return await self.shares.divide(workspace, self.quota, take_stock(workspace, {}), FACTS)


def cpu(division: Division) -> dict[str, str]:
    return {namespace: str(hard[CPU]) for namespace, hard in division.allotment.hard.items()}


TWO = [{"name": "a", "share": 40}, {"name": "b", "share": 60}]


async def test_what_has_to_come_down_does_before_anything_is_decided() -> None:
    world = World()
    acme = world.workspace("acme", namespaces=TWO)
    world.has("acme", "a", "6", used="5")
    world.has("acme", "b", "4")

    division = await world.divide(acme)

    assert world.kube.verbs() == ["apply ResourceQuota a/headgate", "apply ResourceQuota b/headgate"]
    assert cpu(division) == {"a": "4", "b": "5"}
    assert {name: str(missing[CPU]) for name, missing in division.allotment.short.items()} == {"b": "1"}


async def test_a_shared_plan_is_divided_evenly_unless_said() -> None:
    world = World(sharing="Shared")
    acme, globex = world.workspace("acme"), world.workspace("globex", quotaRef={"name": "team", "share": 70})

    assert cpu(await world.divide(acme)) == {"acme": "3"}
    assert cpu(await world.divide(globex)) == {"globex": "7"}


async def test_of_a_shared_plan_nothing_is_given_twice_even_before_it_was_written() -> None:
    world = World(sharing="Shared")
    acme = world.workspace("acme")
    assert cpu(await world.divide(acme)) == {"acme": "10"}

    globex = world.workspace("globex")

    assert cpu(await world.divide(globex)) == {"globex": "0"}
    assert cpu(await world.divide(acme)) == {"acme": "5"}
    assert cpu(await world.divide(globex)) == {"globex": "5"}


async def test_what_another_workspace_still_uses_of_a_shared_plan_is_not_given_away() -> None:
    world = World(sharing="Shared")
    world.workspace("acme")
    globex = world.workspace("globex")
    world.has("acme", "acme", "5", used="8")

    assert cpu(await world.divide(globex)) == {"globex": "2"}


async def test_a_plan_that_is_not_shared_is_everybody_s_own() -> None:
    world = World()
    world.workspace("acme")
    world.has("acme", "acme", "10", used="10")

    assert cpu(await world.divide(world.workspace("globex"))) == {"globex": "10"}
