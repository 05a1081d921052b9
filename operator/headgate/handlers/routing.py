"""A changed object -> the keys to reconcile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS, QUOTAS, WORKFLOW_RUNS, WORKFLOWS, WORKSPACES
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
_JOB_NAME = "batch.kubernetes.io/job-name"


class Router:
    """Takes in what watches and lists say."""

    def __init__(self, cache: Cache, dependents: Dependents, enqueue: Callable[[Key], None]) -> None:
        self._cache = cache
        self._dependents = dependents
        self._enqueue = enqueue
        self._tombstones: dict[Key, Object] = {}

    def changed(self, resource: ApiResource, item: Mapping[str, Any]) -> bool:
        """An object is there, or is there in a new form. False when that was known."""
        key = resource.key(item["metadata"]["name"], item["metadata"].get("namespace") or "")
        former = self._cache.owner(key)
        if not self._cache.upsert(resource, item):
            return False
        self._route(resource, key, item, former)
        return True

    def deleted(self, resource: ApiResource, item: Mapping[str, Any]) -> bool:
        """An object is gone. False when it was not known."""
        if not self._cache.remove(resource, item):
            return False
        key = resource.key(item["metadata"]["name"], item["metadata"].get("namespace") or "")
        if resource in (WORKFLOW_RUNS, JOBS):
            self._tombstones[key_for(_TOPICS[resource], key)] = dict(item)
        self._route(resource, key, item, None)
        return True

    def vanished(self, resource: ApiResource, item: Mapping[str, Any]) -> None:
        """An object that the cache has dropped already, as a list no longer holds it, is gone."""
        key = resource.key(item["metadata"]["name"], item["metadata"].get("namespace") or "")
        if resource in (WORKFLOW_RUNS, JOBS):
            self._tombstones[key_for(_TOPICS[resource], key)] = dict(item)
        self._route(resource, key, item, None)

    def tombstone(self, key: Key) -> Object | None:
        """The last form of a deleted WorkflowRun or Job whose deletion was not acted on yet."""
        return self._tombstones.get(key)

    def bury(self, key: Key, item: Object) -> None:
        """Its deletion was acted on."""
        if self._tombstones.get(key) is item:
            del self._tombstones[key]

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
            job = labels_of(item).get(_JOB_NAME)
            if job:
                yield Key(Topic.JOB, job, key.namespace)
        else:
            for owner in {owner_of(item), former} - {None}:
                yield Key(Topic.WORKSPACE, str(owner))
