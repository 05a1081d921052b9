from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.reflector import LONGEST_PAUSE_SECONDS, Reflector, pause
from headgate.cluster.resources import CUSTOM_RESOURCES, JOBS, MANY
from headgate.desired.keys import ApiResource
from tests.unit.cluster.fake_kube import FakeKube

EXPIRED = ApiError(410, "Expired", "too old")


def a_job(name: str, version: int) -> Object:
    metadata = {"name": name, "namespace": "acme", "uid": f"uid-{name}", "resourceVersion": str(version)}
    labels = {"app.kubernetes.io/managed-by": "headgate"}
    return {"metadata": {**metadata, "labels": labels}, "spec": {}, "status": {}}


class Watched(FakeKube):
    """Serves prepared watches, one after the other; after the last one the test is over.

    ``asked`` holds selector and version of each.
    """

    def __init__(self, *watches: list[tuple[str, Object] | Exception]) -> None:
        super().__init__()
        self.watches = list(watches)
        self.asked: list[tuple[str, int]] = []

    async def watch(
        self, resource: ApiResource, *, labels: str = "", fields: str = "", version: int
    ) -> AsyncIterator[tuple[str, Object]]:
        self.asked.append((labels or fields, version))
        if not self.watches:
            raise asyncio.CancelledError
        for event in self.watches.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event


class World:
    """A reflector of Jobs, and what it told."""

    def __init__(self, *watches: list[tuple[str, Object] | Exception], resource: ApiResource = JOBS) -> None:
        self.kube = Watched(*watches)
        self.told: list[tuple[str, str]] = []
        self.pauses: list[float] = []
        self.cache = Cache()
        self._resource = resource

    def _tell(self, what: str) -> Any:
        def tell(resource: ApiResource, item: Object) -> None:
            assert resource == self._resource
            if what == "changed":
                self.cache.upsert(resource, item)
            self.told.append((what, item["metadata"]["name"]))

        return tell

    async def follow(self, version: int | None) -> None:
        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)

        reflector = Reflector(
            self.kube,
            self.cache,
            self._resource,
            changed=self._tell("changed"),
            deleted=self._tell("deleted"),
            vanished=self._tell("vanished"),
            sleep=sleep,
        )
        with pytest.raises(asyncio.CancelledError):
            await reflector.run(version)

    @property
    def versions(self) -> list[int]:
        """From which version on each watch was opened."""
        return [version for _, version in self.kube.asked]


async def test_every_event_is_told_in_order() -> None:
    world = World([("ADDED", a_job("a", 11)), ("MODIFIED", a_job("a", 12)), ("DELETED", a_job("a", 13))])

    await world.follow(10)

    assert world.told == [("changed", "a"), ("changed", "a"), ("deleted", "a")]


async def test_a_watch_goes_on_where_the_last_one_ended() -> None:
    world = World([("ADDED", a_job("a", 11))], [("BOOKMARK", {"metadata": {"resourceVersion": "40"}})], [])

    await world.follow(10)

    assert world.versions == [10, 11, 40, 40]
    assert world.told == [("changed", "a")]


async def test_without_a_version_it_begins_with_a_list() -> None:
    world = World([])
    world.kube.put(JOBS, a_job("a", 0))

    await world.follow(None)

    assert world.told == [("changed", "a")]
    assert world.versions == [world.kube.version, world.kube.version]


async def test_what_the_server_no_longer_has_is_found_out_by_a_list() -> None:
    world = World([("ADDED", a_job("gone", 1)), EXPIRED], [])
    world.kube.put(JOBS, a_job("new", 0))
    world.kube.version += 5

    await world.follow(0)

    assert world.told == [("changed", "gone"), ("changed", "new"), ("vanished", "gone")]
    assert world.versions[1] == world.kube.version


async def test_a_broken_watch_goes_on_and_lists_nothing() -> None:
    world = World([("ADDED", a_job("a", 11)), Unreachable("cut")], [])

    await world.follow(10)

    assert world.versions == [10, 11, 11]
    assert world.kube.verbs("list") == []


async def test_it_waits_longer_the_more_often_it_fails_in_a_row() -> None:
    cut = [Unreachable("cut")]
    world = World([*cut], [*cut], [*cut], [("ADDED", a_job("a", 11))], [*cut])

    await world.follow(10)

    assert world.pauses == [pause(1), pause(2), pause(3), pause(0), pause(1)]
    assert pause(1) < pause(2) < pause(3)
    assert pause(1000) == LONGEST_PAUSE_SECONDS


async def test_a_refusal_is_followed_by_a_list() -> None:
    world = World([ApiError(403, "Forbidden", "not yet")], [])
    world.kube.put(JOBS, a_job("a", 0))

    await world.follow(10)

    assert world.told == [("changed", "a")]


@pytest.mark.parametrize("resource", MANY, ids=lambda resource: resource.plural)
async def test_of_kinds_that_others_use_too_only_headgate_s_objects_are_watched(resource: ApiResource) -> None:
    world = World(resource=resource)

    await world.follow(10)

    labels, _ = world.kube.asked[0]
    assert labels == ("" if resource in CUSTOM_RESOURCES else "app.kubernetes.io/managed-by=headgate")
