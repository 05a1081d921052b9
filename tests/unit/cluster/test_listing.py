from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.errors import Unreachable
from headgate.cluster.listing import compare
from headgate.cluster.resources import WORKFLOWS, WORKSPACES
from headgate.desired.keys import NETWORK_POLICY, ApiResource
from tests.unit.cluster.fake_kube import FakeKube

OURS = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "acme"}


class Told:
    """Who takes in what changed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, resource: ApiResource, item: Mapping[str, Any]) -> bool:
        name: str = item["metadata"]["name"]
        self.names.append(name)
        return name != "no-news"


def named(name: str) -> dict[str, dict[str, str]]:
    return {"metadata": {"name": name, "namespace": "acme"}}


async def test_what_the_cache_does_not_know_has_changed() -> None:
    kube, cache = FakeKube(), Cache()
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("same")))
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("newer")))
    kube.put(WORKFLOWS, named("newer"), uid="uid-2")
    kube.put(WORKFLOWS, named("new"))
    kube.put(WORKFLOWS, named("no-news"))
    told = Told()

    found = await compare(kube, cache, WORKFLOWS, told)

    assert sorted(told.names) == ["new", "newer", "no-news"]
    assert (found.news, found.gone) == (2, ())


async def test_what_changed_is_told_page_by_page() -> None:
    kube, cache = FakeKube(page_size=2), Cache()
    told = Told()
    for name in ("a", "b", "c"):
        kube.put(WORKSPACES, {"metadata": {"name": name}})
    pages: list[int] = []

    class Paged(FakeKube):
        async def list_pages(self, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
            async for page in kube.list_pages(WORKSPACES):
                yield page
                pages.append(len(told.names))

    await compare(Paged(), cache, WORKSPACES, told)

    assert pages == [2, 3]


async def test_what_is_listed_no_more_is_gone_from_the_cache() -> None:
    kube, cache = FakeKube(), Cache()
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("nightly")))
    kube.vanish(WORKFLOWS, "nightly", "acme")

    found = await compare(kube, cache, WORKFLOWS, Told())

    assert [item["metadata"]["name"] for item in found.gone] == ["nightly"]
    assert cache.keys(WORKFLOWS) == ()
    assert (await compare(kube, cache, WORKFLOWS, Told())).gone == ()


async def test_all_pages_count() -> None:
    kube, cache = FakeKube(page_size=2), Cache()
    for name in ("a", "b", "c", "d", "e"):
        cache.upsert(WORKSPACES, kube.put(WORKSPACES, {"metadata": {"name": name}}))

    found = await compare(kube, cache, WORKSPACES, Told())

    assert (found.news, found.gone) == (0, ())


async def test_of_children_only_those_of_headgate_are_listed() -> None:
    kube, cache = FakeKube(), Cache()
    kube.put(NETWORK_POLICY, named("theirs"))
    kube.put(NETWORK_POLICY, named("ours"), labels=OURS)

    told = Told()
    await compare(kube, cache, NETWORK_POLICY, told)

    assert told.names == ["ours"]


async def test_an_object_that_was_made_while_the_list_was_on_its_way_stays() -> None:
    kube, cache = FakeKube(), Cache()

    class Busy(FakeKube):
        async def list_pages(self, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
            async for page in kube.list_pages(WORKFLOWS):
                cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("fresh")))
                yield page

    found = await compare(Busy(), cache, WORKFLOWS, Told())

    assert found.gone == ()
    assert cache.keys(WORKFLOWS) == (WORKFLOWS.key("fresh", "acme"),)


async def test_when_the_list_does_not_come_nothing_is_taken_to_be_gone() -> None:
    kube, cache = FakeKube(), Cache()
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("nightly")))
    kube.fail("list", Unreachable("away"))

    with pytest.raises(Unreachable):
        await compare(kube, cache, WORKFLOWS, Told())

    assert cache.keys(WORKFLOWS) != ()
