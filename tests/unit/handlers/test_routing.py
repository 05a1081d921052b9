from __future__ import annotations

from typing import Any

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.resources import JOBS, PODS, QUOTAS, WORKFLOW_RUNS, WORKFLOWS, WORKSPACES
from headgate.desired.keys import NAMESPACE, NETWORK_POLICY, ApiResource
from headgate.handlers.routing import Router
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key, Topic
from tests.workload_builders import a_job, a_pod

RUN = Key(Topic.RUN, "nightly-1", "acme")
JOB = Key(Topic.JOB, str(a_job().manifest()["metadata"]["name"]), "acme")
ACME = Key(Topic.WORKSPACE, "acme")
Item = dict[str, Any]


class World:
    """A router, and the keys that it enqueued."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.cache, self.dependents = Cache(), Dependents(self.keys.append)
        self.router = Router(self.cache, self.dependents, self.keys.append)

    def changed(self, resource: ApiResource, item: Item) -> list[Key]:
        """What is enqueued because of a change."""
        self.keys.clear()
        self.router.changed(resource, item)
        return list(self.keys)

    def deleted(self, resource: ApiResource, item: Item) -> list[Key]:
        """What is enqueued because of a deletion."""
        self.keys.clear()
        self.router.deleted(resource, item)
        return list(self.keys)


def an_object(name: str, namespace: str | None = None, version: int = 5, uid: str = "u1") -> Item:
    place = {} if namespace is None else {"namespace": namespace}
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": str(version), **place}}


def a_run(version: int = 5, uid: str = "u1") -> Item:
    return an_object("nightly-1", "acme", version, uid)


def a_child(workspace: str | None = "acme", version: int = 5, name: str = "deny") -> Item:
    child = an_object(name, "acme", version)
    owner = {} if workspace is None else {"headgate.dev/workspace": workspace}
    child["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "headgate", **owner}
    return child


@pytest.mark.parametrize(
    ("resource", "item", "key"),
    [
        (QUOTAS, an_object("team"), Key(Topic.QUOTA, "team")),
        (WORKSPACES, an_object("acme"), ACME),
        (WORKFLOWS, an_object("nightly", "acme"), Key(Topic.WORKFLOW, "nightly", "acme")),
        (WORKFLOW_RUNS, a_run(), RUN),
        (JOBS, a_job().manifest(), JOB),
        (PODS, a_pod().manifest(), JOB),
        (NETWORK_POLICY, a_child(), ACME),
        (NAMESPACE, a_child(name="acme"), ACME),
    ],
    ids=lambda value: value.kind if isinstance(value, ApiResource) else "",
)
class TestEveryKind:
    def test_a_change_enqueues_who_has_to_look(self, resource: ApiResource, item: Item, key: Key) -> None:
        assert World().changed(resource, item) == [key]

    def test_the_same_change_again_does_not(self, resource: ApiResource, item: Item, key: Key) -> None:
        world = World()
        world.changed(resource, item)

        assert world.changed(resource, item) == []
        assert not world.router.changed(resource, item)

    def test_a_deletion_does(self, resource: ApiResource, item: Item, key: Key) -> None:
        world = World()
        world.changed(resource, item)

        assert world.deleted(resource, item) == [key]

    def test_a_deletion_that_is_known_does_not(self, resource: ApiResource, item: Item, key: Key) -> None:
        world = World()

        assert world.deleted(resource, item) == []
        assert not world.router.deleted(resource, item)

    def test_that_a_list_holds_it_no_more_does(self, resource: ApiResource, item: Item, key: Key) -> None:
        world = World()

        world.router.vanished(resource, item)

        assert world.keys == [key]


def test_a_child_that_changes_hands_concerns_both() -> None:
    world = World()
    world.changed(NETWORK_POLICY, a_child("acme", version=5))

    assert set(world.changed(NETWORK_POLICY, a_child("globex", version=6))) == {ACME, Key(Topic.WORKSPACE, "globex")}


def test_a_child_that_lost_its_label_concerns_whose_it_was() -> None:
    world = World()
    world.changed(NETWORK_POLICY, a_child("acme", version=5))

    assert world.changed(NETWORK_POLICY, a_child(None, version=6)) == [ACME]


def test_what_is_nobody_s_concerns_nobody() -> None:
    world = World()
    stray = a_pod().manifest()
    stray["metadata"]["labels"] = {}

    assert world.changed(NETWORK_POLICY, a_child(None)) == []
    assert world.changed(PODS, stray) == []


def test_who_depends_on_an_object_is_enqueued_too() -> None:
    world = World()
    world.dependents.depend(ACME, QUOTAS.key("team"))

    assert world.changed(QUOTAS, an_object("team")) == [Key(Topic.QUOTA, "team"), ACME]
    assert world.deleted(QUOTAS, an_object("team", version=6)) == [Key(Topic.QUOTA, "team"), ACME]


def test_what_was_told_is_in_the_cache_before_anyone_looks() -> None:
    cache = Cache()
    seen: list[str | None] = []

    def look(key: Key) -> None:
        seen.append(cache.uid(key.object_key))

    router = Router(cache, Dependents(look), look)

    router.changed(WORKFLOW_RUNS, a_run())
    router.deleted(WORKFLOW_RUNS, a_run())

    assert seen == ["u1", None]


class TestTombstones:
    @pytest.mark.parametrize(
        ("resource", "item", "key"),
        [(WORKFLOW_RUNS, a_run(), RUN), (JOBS, a_job().manifest(), JOB)],
        ids=["run", "job"],
    )
    def test_the_last_form_of_a_run_and_of_a_job_is_kept_until_it_was_acted_on(
        self, resource: ApiResource, item: Item, key: Key
    ) -> None:
        world = World()
        world.changed(resource, item)
        world.deleted(resource, item)

        kept = world.router.tombstone(key)
        assert kept == item
        assert world.router.tombstone(key) is kept, "looking is not acting"

        world.keys.clear()
        world.router.bury(key, kept)

        assert world.router.tombstone(key) is None
        assert world.keys == []

    def test_one_that_a_list_holds_no_more_has_one_too(self) -> None:
        world = World()

        world.router.vanished(WORKFLOW_RUNS, a_run())

        assert world.router.tombstone(RUN) == a_run()

    def test_what_is_there_has_none(self) -> None:
        world = World()
        world.changed(WORKFLOW_RUNS, a_run(5))
        world.changed(WORKFLOW_RUNS, a_run(6))

        assert world.router.tombstone(RUN) is None

    def test_other_kinds_have_none(self) -> None:
        world = World()
        world.changed(WORKSPACES, an_object("acme"))
        world.deleted(WORKSPACES, an_object("acme"))

        assert world.router.tombstone(ACME) is None

    def test_one_that_was_made_anew_while_nobody_looked_leaves_one(self) -> None:
        world = World()
        world.changed(WORKFLOW_RUNS, a_run(5, uid="first"))

        assert world.changed(WORKFLOW_RUNS, a_run(9, uid="second")) == [RUN]

        assert ((world.router.tombstone(RUN) or {})["metadata"])["uid"] == "first"
        assert world.deleted(WORKFLOW_RUNS, a_run(8, uid="first")) == [], "that is known by now"

    def test_late_news_of_the_first_is_no_deletion_of_the_second(self) -> None:
        world = World()
        world.changed(WORKFLOW_RUNS, a_run(9, uid="second"))

        assert world.changed(WORKFLOW_RUNS, a_run(5, uid="first")) == []
        assert world.router.tombstone(RUN) is None

    def test_several_of_one_name_are_acted_on_one_after_the_other(self) -> None:
        world = World()
        world.changed(WORKFLOW_RUNS, a_run(5, uid="first"))
        world.deleted(WORKFLOW_RUNS, a_run(6, uid="first"))
        world.changed(WORKFLOW_RUNS, a_run(7, uid="second"))
        world.deleted(WORKFLOW_RUNS, a_run(8, uid="second"))

        buried = []
        while (tombstone := world.router.tombstone(RUN)) is not None:
            world.keys.clear()
            world.router.bury(RUN, tombstone)
            buried.append((tombstone["metadata"]["uid"], list(world.keys)))

        assert buried == [("first", [RUN]), ("second", [])]

    def test_burying_one_does_not_bury_another(self) -> None:
        world = World()
        world.changed(WORKFLOW_RUNS, a_run())
        world.deleted(WORKFLOW_RUNS, a_run())

        world.router.bury(RUN, a_run())

        assert world.router.tombstone(RUN) is not None
