from __future__ import annotations

from typing import Any

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.connection import Connection
from headgate.cluster.resources import FEW, QUOTAS, WORKSPACES
from headgate.desired.keys import ApiResource
from headgate.handlers.routing import Router
from headgate.handlers.watches import registry, settings
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key, Topic

CONNECTION = Connection("https://api", None, None, None, verify=True, bearer=lambda: "Bearer s3cret")
ACME = {"metadata": {"name": "acme", "uid": "u1", "resourceVersion": "5"}}


class World:
    """Kopf's registry, and what its events enqueue."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.cache = Cache()
        router = Router(self.cache, Dependents(self.keys.append), self.keys.append)
        self.registry = registry(CONNECTION, router)

    async def tell(self, resource: ApiResource, kind: str | None, item: dict[str, Any]) -> None:
        """Hand an event to the handlers that Kopf would call."""
        for handler in self.registry._watching.get_all_handlers():
            if handler.id == resource.plural:
                fn: Any = handler.fn
                await fn(event={"type": kind, "object": item})


@pytest.mark.parametrize("resource", FEW, ids=lambda resource: resource.plural)
def test_each_of_few_kinds_has_one_handler(resource: ApiResource) -> None:
    selectors = [handler.selector for handler in World().registry._watching.get_all_handlers()]
    watched = [(selector.group, selector.version, selector.any_name) for selector in selectors if selector]

    assert watched.count((resource.group, resource.version, resource.plural)) == 1
    assert len(watched) == len(FEW)


def test_there_is_no_handler_for_which_kopf_would_write() -> None:
    handlers = World().registry

    assert handlers._changing.get_all_handlers() == []
    assert handlers._spawning.get_all_handlers() == []
    assert handlers._indexing.get_all_handlers() == []


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
async def test_an_object_that_is_there_is_taken_in(kind: str | None) -> None:
    world = World()

    await world.tell(WORKSPACES, kind, ACME)

    assert world.keys == [Key(Topic.WORKSPACE, "acme")]
    assert world.cache.uid(WORKSPACES.key("acme")) == "u1"


async def test_an_object_that_is_gone_is_dropped() -> None:
    world = World()
    await world.tell(WORKSPACES, "ADDED", ACME)

    await world.tell(WORKSPACES, "DELETED", ACME)

    assert len(world.keys) == 2
    assert world.cache.size == 0


async def test_each_handler_knows_its_kind() -> None:
    world = World()

    await world.tell(QUOTAS, "ADDED", {"metadata": {"name": "team", "uid": "q", "resourceVersion": "1"}})

    assert world.keys == [Key(Topic.QUOTA, "team")]


def test_kopf_logs_in_as_the_client_does() -> None:
    (login,) = World().registry._activities.get_all_handlers()

    fn: Any = login.fn
    info = fn()

    assert (info.server, info.scheme, info.token) == ("https://api", "Bearer", "s3cret")


def test_kopf_writes_nothing_and_looks_for_no_peers() -> None:
    chosen = settings()

    assert chosen.posting.enabled is False
    assert chosen.peering.standalone is True
    assert chosen.scanning.disabled is True
