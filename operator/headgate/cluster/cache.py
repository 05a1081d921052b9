"""What is known of the cluster: fed by watches, lists and the answers to our own writes, read by reconciliation.

Objects are kept as compact JSON without what nobody reads (managedFields, and of pods and Jobs nearly all but identity
and status): about a tenth of the memory of nested dicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, PODS
from headgate.desired.job import JOB_NAME_LABEL, RUN_LABEL
from headgate.desired.keys import CHILD_KINDS, RESOURCE_QUOTA, ApiResource, ObjectKey
from headgate.desired.manifest import labels_of, owner_of
from headgate.desired.runner_pool import POOL_LABEL
from headgate.domain.json_bytes import encode
from headgate.domain.runner_task import POOL_NAME

_REMEMBERED = 4096


@dataclass(frozen=True)
class Entry:
    """One cached object: enough to compare and index it, and its JSON."""

    uid: str
    resource_version: int
    owner: str | None
    """The workspace whose child it is."""
    raw: bytes
    used: bytes = b""
    """Of a ResourceQuota: how much is used, as JSON. It changes all the time, and is no change of the object."""

    def parsed(self) -> Object:
        """The object, anew for every call."""
        parsed: Object = orjson.loads(self.raw)
        parsed["metadata"]["resourceVersion"] = str(self.resource_version)
        return parsed


class Cache:
    """The latest known state of every watched object. For one event loop; not thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[ObjectKey, Entry] = {}
        self._keys: dict[tuple[str, str], set[ObjectKey]] = defaultdict(set)
        self._children: dict[str, set[ObjectKey]] = defaultdict(set)
        self._related: dict[tuple[str, ...], set[ObjectKey]] = defaultdict(set)
        self._gone: dict[str, int] = {}

    def upsert(self, resource: ApiResource, item: Mapping[str, Any]) -> bool:
        """Take in an object. Whether that changed anything that is kept of it.

        It does not when the object is not newer than what is known, be that of an earlier object of the name, nor when
        nothing but its resource version, parts that nobody reads, and how much is used of a ResourceQuota are new.

        Resource versions of one kind are compared as numbers, as Kubernetes allows since 1.35 and has always been true
        of etcd. Watches, lists and answers overtake each other: so the last few thousand objects that went are
        remembered, and what is said of them late does not bring them back.
        """
        key = _key(resource, item)
        if self.knows(key, item):
            return False
        metadata = item["metadata"]
        raw = _compact(encode(_trimmed(resource, item), orjson.OPT_SORT_KEYS, cut=True))
        used = b""
        if resource == RESOURCE_QUOTA:
            used = _compact(encode((item.get("status") or {}).get("used") or {}))
        entry = Entry(metadata["uid"], int(metadata["resourceVersion"]), owner_of(item), raw, used)
        known = self._entries.get(key)
        if known is not None and (known.uid, known.raw) == (entry.uid, entry.raw):
            self._entries[key] = entry
            return False
        if known is not None:
            self._forget(key, known)
            if known.uid != entry.uid:
                self._remember(known.uid, entry.resource_version)
        self._entries[key] = entry
        self._keys[key.group, key.kind].add(key)
        if entry.owner:
            self._children[entry.owner].add(key)
        if (relation := _relation(key, item)) is not None:
            self._related[relation].add(key)
        return True

    def knows(self, key: ObjectKey, item: Mapping[str, Any]) -> bool:
        """Whether this version of the object, or a later one, is cached, or was before it went."""
        known, metadata = self._entries.get(key), item["metadata"]
        latest = max(known.resource_version if known is not None else -1, self._gone.get(metadata["uid"], -1))
        return latest >= int(metadata["resourceVersion"])

    def remove(self, resource: ApiResource, item: Mapping[str, Any]) -> bool:
        """Drop an object that was deleted, or left what is watched, in that version.

        False when that very object is not known, or known to have been there later.
        """
        key, uid, version = _key(resource, item), item["metadata"]["uid"], int(item["metadata"]["resourceVersion"])
        known = self._entries.get(key)
        if known is None or known.uid != uid:
            self._remember(uid, version)
            return False
        if known.resource_version > version:
            return False
        self._forget(key, known)
        self._remember(uid, version)
        return True

    def drop(self, key: ObjectKey, uid: str) -> bool:
        """Drop the object of that key and uid as it is known. False when that very object is not known."""
        known = self._entries.get(key)
        if known is None or known.uid != uid:
            return False
        self._forget(key, known)
        self._remember(uid, known.resource_version)
        return True

    def retain(self, resource: ApiResource, listed: Iterable[ObjectKey], version: int) -> tuple[Object, ...]:
        """Drop what a complete list at ``version`` no longer holds, and return it.

        This closes the gap that watches leave: what is deleted between a list and the watch after it is never reported.
        """
        keep = set(listed)
        gone = tuple(
            (key, self._entries[key])
            for key in self._keys[resource.group, resource.kind]
            if key not in keep and self._entries[key].resource_version <= version
        )
        for key, entry in gone:
            self._forget(key, entry)
            self._remember(entry.uid, version)
        return tuple(entry.parsed() for _, entry in gone)

    @property
    def size(self) -> int:
        """How many objects are cached."""
        return len(self._entries)

    def get(self, key: ObjectKey) -> Object | None:
        """The object, or None."""
        entry = self._entries.get(key)
        return entry.parsed() if entry else None

    def version(self, key: ObjectKey) -> int | None:
        """The object's resource version, or None; cheaper than ``get``."""
        entry = self._entries.get(key)
        return entry.resource_version if entry else None

    def uid(self, key: ObjectKey) -> str | None:
        """The object's uid, or None; cheaper than ``get``."""
        entry = self._entries.get(key)
        return entry.uid if entry else None

    def owner(self, key: ObjectKey) -> str | None:
        """The workspace whose child the object is, or None."""
        entry = self._entries.get(key)
        return entry.owner if entry else None

    def used(self, key: ObjectKey) -> Mapping[str, str]:
        """How much is used of a ResourceQuota, by resource, as far as the cluster has counted it."""
        used: Mapping[str, str] = orjson.loads(self.fingerprint(key) or b"{}")
        return used

    def fingerprint(self, key: ObjectKey) -> bytes:
        """What `used` is made of: equal as long as the same is used."""
        entry = self._entries.get(key)
        return entry.used if entry else b""

    def keys(self, resource: ApiResource) -> tuple[ObjectKey, ...]:
        """All objects of a kind."""
        return tuple(self._keys[resource.group, resource.kind])

    def children(self, workspace: str) -> Iterator[tuple[ObjectKey, Object]]:
        """The objects labelled as a workspace's, but its Jobs and pods."""
        for key in tuple(self._children.get(workspace, ())):
            if key.kind not in (JOBS.kind, PODS.kind):
                yield key, self._entries[key].parsed()

    def pods_of(self, job: ObjectKey) -> tuple[Object, ...]:
        """The pods of a Job or, by its name, of a namespace's pool of runners."""
        related = self._related.get((PODS.kind, job.namespace, job.name), ())
        return tuple(self._entries[key].parsed() for key in related)

    def jobs_of(self, run_id: str) -> tuple[tuple[ObjectKey, Object], ...]:
        """The Jobs of a run."""
        return tuple((key, self._entries[key].parsed()) for key in self._related.get((JOBS.kind, run_id), ()))

    def _remember(self, uid: str, version: int) -> None:
        self._gone[uid] = max(version, self._gone.pop(uid, -1))
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _forget(self, key: ObjectKey, known: Entry) -> None:
        del self._entries[key]
        self._keys[key.group, key.kind].discard(key)
        if known.owner:
            _discard(self._children, known.owner, key)
        if key.kind in (PODS.kind, JOBS.kind) and (relation := _relation(key, known.parsed())) is not None:
            _discard(self._related, relation, key)


def _relation(key: ObjectKey, item: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What a workload is looked up by: a pod by its Job, a Job by its run."""
    labels = labels_of(item)
    if key.kind == PODS.kind and JOB_NAME_LABEL in labels:
        return (PODS.kind, key.namespace, labels[JOB_NAME_LABEL])
    if key.kind == PODS.kind and POOL_LABEL in labels:
        return (PODS.kind, key.namespace, POOL_NAME)
    if key.kind == JOBS.kind and RUN_LABEL in labels:
        return (JOBS.kind, labels[RUN_LABEL])
    return None


def _compact(text: bytes) -> bytes:
    """The same in no more memory than it takes: what orjson returns holds on to the whole buffer that it wrote into."""
    return bytes(memoryview(text))


def _discard(index: dict[Any, set[ObjectKey]], at: Any, key: ObjectKey) -> None:
    members = index.get(at)
    if members is not None:
        members.discard(key)
        if not members:
            del index[at]


def _key(resource: ApiResource, item: Mapping[str, Any]) -> ObjectKey:
    return resource.key(item["metadata"]["name"], item["metadata"].get("namespace") or "")


_OF_WORKLOADS = ("metadata", "status")
_UNREAD = frozenset({"managedFields", "resourceVersion"})


def _trimmed(resource: ApiResource, item: Mapping[str, Any]) -> Object:
    """The object without what nobody reads, and with the apiVersion and kind that items of a list lack."""
    kept = {key: item[key] for key in _OF_WORKLOADS if key in item} if resource in (JOBS, PODS) else dict(item)
    if resource in CHILD_KINDS:
        kept.pop("status", None)
    if resource == RESOURCE_QUOTA:
        # How much is used changes all the time; what is counted at all does once.
        kept["status"] = {"used": dict.fromkeys(item.get("status", {}).get("used") or {}, "")}
    if resource == JOBS:
        kept["spec"] = {
            key: item["spec"][key]
            for key in ("ttlSecondsAfterFinished", "activeDeadlineSeconds")
            if key in item["spec"]
        }
    if resource == PODS and (spec := item.get("spec")):
        # What it holds of a node, as it was admitted.
        kept["spec"] = {
            "containers": [
                {"resources": {"requests": (container.get("resources") or {}).get("requests") or {}}}
                for container in spec.get("containers") or ()
            ],
            **({"nodeSelector": spec["nodeSelector"]} if spec.get("nodeSelector") else {}),
        }
    kept["metadata"] = {key: value for key, value in item["metadata"].items() if key not in _UNREAD}
    return {"apiVersion": resource.api_version, "kind": resource.kind, **kept}
