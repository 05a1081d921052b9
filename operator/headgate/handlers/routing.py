"""A changed object -> the keys to reconcile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS, QUOTAS, WORKFLOW_RUNS, WORKFLOWS, WORKSPACES
from headgate.desired.job import JOB_NAME_LABEL
from headgate.desired.keys import ApiResource, ObjectKey
from headgate.desired.manifest import labels_of, owner_of
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key, Topic, key_for

_TOPICS: Mapping[ApiResource, Topic] = {
    QUOTAS: Topic.QUOTA,
    WORKSPACES: Topic.WORKSPACE,
    WORKFLOWS: Topic.WORKFLOW,
    WORKFLOW_RUNS: Topic.RUN,
    JOBS: Topic.JOB,
}
_MOURNED = (WORKFLOW_RUNS, JOBS)
"""Kinds of which it matters that a very object is gone, even where another has its name by now."""


class Router:
    """Takes in what watches and lists say."""

    def __init__(self, cache: Cache, dependents: Dependents, enqueue: Callable[[Key], None]) -> None:
        self._cache = cache
        self._dependents = dependents
        self._enqueue = enqueue
        self._tombstones: dict[Key, list[Object]] = {}

    def changed(self, resource: ApiResource, item: Mapping[str, Any]) -> bool:
        """An object is there, or is there in a new form. False when that was known."""
        key = _key(resource, item)
        former, replaced = self._cache.owner(key), None
        if resource in _MOURNED and self._cache.uid(key) not in (None, item["metadata"]["uid"]):
            replaced = self._cache.get(key)
        if not self._cache.upsert(resource, item):
            return False
        if replaced is not None:
            self._mourn(resource, key, replaced)
        self._route(resource, key, item, former)
        return True

    def deleted(self, resource: ApiResource, item: Mapping[str, Any]) -> bool:
        """An object is gone. False when it was not known."""
        if not self._cache.remove(resource, item):
            return False
        self.vanished(resource, item)
        return True

    def vanished(self, resource: ApiResource, item: Mapping[str, Any]) -> None:
        """An object that the cache has dropped already, as a list no longer holds it, is gone."""
        key = _key(resource, item)
        if resource in _MOURNED:
            self._mourn(resource, key, item)
        self._route(resource, key, item, None)

    def tombstone(self, key: Key) -> Object | None:
        """The last form of a deleted WorkflowRun or Job whose deletion was not acted on yet: of several the oldest."""
        waiting = self._tombstones.get(key)
        return waiting[0] if waiting else None

    def bury(self, key: Key, item: Object) -> None:
        """Its deletion was acted on. Where another of that name waits, the key is enqueued again."""
        waiting = [other for other in self._tombstones.pop(key, ()) if other is not item]
        if waiting:
            self._tombstones[key] = waiting
            self._enqueue(key)

    def _mourn(self, resource: ApiResource, key: ObjectKey, item: Mapping[str, Any]) -> None:
        self._tombstones.setdefault(key_for(_TOPICS[resource], key), []).append(dict(item))

    def _route(self, resource: ApiResource, key: ObjectKey, item: Mapping[str, Any], former: str | None) -> None:
        for wanted in self._keys(resource, key, item, former):
            self._enqueue(wanted)
        self._dependents.wake(key)

    def _keys(
        self, resource: ApiResource, key: ObjectKey, item: Mapping[str, Any], former: str | None
    ) -> Iterator[Key]:
        topic = _TOPICS.get(resource)
        if topic is not None:
            yield key_for(topic, key)
        elif resource == PODS:
            job = labels_of(item).get(JOB_NAME_LABEL)
            if job:
                yield Key(Topic.JOB, job, key.namespace)
        else:
            for owner in {owner_of(item), former} - {None}:
                yield Key(Topic.WORKSPACE, str(owner))


def _key(resource: ApiResource, item: Mapping[str, Any]) -> ObjectKey:
    return resource.key(item["metadata"]["name"], item["metadata"].get("namespace") or "")
