from __future__ import annotations

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.errors import Unreachable
from headgate.cluster.listing import compare
from headgate.cluster.resources import WORKFLOWS, WORKSPACES
from headgate.desired.keys import NETWORK_POLICY
from tests.unit.cluster.fake_kube import FakeKube

OURS = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "acme"}


def named(name: str) -> dict[str, dict[str, str]]:
    return {"metadata": {"name": name, "namespace": "acme"}}


async def test_what_the_cache_does_not_know_has_changed() -> None:
    kube, cache = FakeKube(), Cache()
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("same")))
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("newer")))
    kube.put(WORKFLOWS, named("newer"), uid="uid-2")
    kube.put(WORKFLOWS, named("new"))

    found = await compare(kube, cache, WORKFLOWS)

    assert sorted(item["metadata"]["name"] for item in found.changed) == ["new", "newer"]
    assert found.gone == ()


async def test_what_is_listed_no_more_is_gone_from_the_cache() -> None:
    kube, cache = FakeKube(), Cache()
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("nightly")))
    kube.vanish(WORKFLOWS, "nightly", "acme")

    found = await compare(kube, cache, WORKFLOWS)

    assert [item["metadata"]["name"] for item in found.gone] == ["nightly"]
    assert cache.keys(WORKFLOWS) == ()
    assert (await compare(kube, cache, WORKFLOWS)).gone == ()


async def test_all_pages_count() -> None:
    kube, cache = FakeKube(page_size=2), Cache()
    for name in ("a", "b", "c", "d", "e"):
        cache.upsert(WORKSPACES, kube.put(WORKSPACES, {"metadata": {"name": name}}))

    found = await compare(kube, cache, WORKSPACES)

    assert (found.changed, found.gone) == ((), ())


async def test_of_children_only_those_of_headgate_are_listed() -> None:
    kube, cache = FakeKube(), Cache()
    kube.put(NETWORK_POLICY, named("theirs"))
    kube.put(NETWORK_POLICY, named("ours"), labels=OURS)

    found = await compare(kube, cache, NETWORK_POLICY)

    assert [item["metadata"]["name"] for item in found.changed] == ["ours"]


async def test_an_object_that_was_made_while_the_list_was_on_its_way_stays() -> None:
    kube, cache = FakeKube(), Cache()

    class Busy(FakeKube):
        async def list_pages(self, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
            async for page in kube.list_pages(WORKFLOWS):
                cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("fresh")))
                yield page

    found = await compare(Busy(), cache, WORKFLOWS)

    assert found.gone == ()
    assert cache.keys(WORKFLOWS) == (WORKFLOWS.key("fresh", "acme"),)


async def test_when_the_list_does_not_come_nothing_is_taken_to_be_gone() -> None:
    kube, cache = FakeKube(), Cache()
    cache.upsert(WORKFLOWS, kube.put(WORKFLOWS, named("nightly")))
    kube.fail("list", Unreachable("away"))

    with pytest.raises(Unreachable):
        await compare(kube, cache, WORKFLOWS)

    assert cache.keys(WORKFLOWS) != ()
