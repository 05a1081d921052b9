"""An API server in memory: what the client promises of the real one, without HTTP."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import PODS
from headgate.desired.keys import ApiResource, ObjectKey
from tests.support.patches import merged, patched

CREATED = "2026-03-01T12:00:00Z"


class FakeKube(KubeClient):
    """Keeps objects with uids and resource versions, and refuses what the API server would refuse.

    ``requests`` holds verb and key of every request, in order. ``fail`` makes the next request of a verb fail.
    """

    def __init__(self, *, page_size: int = 500) -> None:
        self.objects: dict[ObjectKey, Object] = {}
        self.requests: list[tuple[str, ObjectKey]] = []
        self.version = 0
        self.foreground: list[ObjectKey] = []
        """What was deleted only after what it owns."""
        self.logs: dict[str, bytes] = {}
        self._page_size = page_size
        self._failures: dict[str, list[ApiError | Unreachable]] = {}

    def fail(self, verb: str, *errors: ApiError | Unreachable) -> None:
        """The next requests of that verb (get, list, log, apply, create, replace, patch, delete…) fail so."""
        self._failures.setdefault(verb, []).extend(errors)

    def put(self, resource: ApiResource, item: Mapping[str, Any], **metadata: Any) -> Object:
        """Have an object there, as someone else would have made it."""
        key = resource.key(item["metadata"]["name"], item["metadata"].get("namespace", ""))
        self.objects[key] = self._stored(resource, {**item, "metadata": {**item["metadata"], **metadata}})
        return self._seen(key)

    def vanish(self, resource: ApiResource, name: str, namespace: str = "") -> Object:
        """Have an object gone, as someone else would have deleted it; returns the object of the DELETED event."""
        item = self.objects.pop(resource.key(name, namespace))
        self.version += 1
        return {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}

    def verbs(self, *verbs: str) -> list[str]:
        """``<verb> <key>`` of the requests of these verbs, or of all that write."""
        wanted = verbs or ("apply", "create", "replace", "patch", "delete", "delete collection")
        return [f"{verb} {key}" for verb, key in self.requests if verb in wanted]

    async def get(self, resource: ApiResource, name: str, namespace: str = "") -> Object:
        key = self._asked("get", resource.key(name, namespace))
        return self._seen(self._existing(key))

    async def list_pages(
        self, resource: ApiResource, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncIterator[Object]:
        self._asked("list", resource.key("", namespace))
        chosen = [
            self._seen(key)
            for key, item in sorted(self.objects.items())
            if (key.group, key.kind) == (resource.group, resource.kind)
            and namespace in ("", key.namespace)
            and _selected(item["metadata"].get("labels") or {}, labels)
            and _selected(item, fields)
        ]
        version = str(self.version)
        for start in range(0, max(1, len(chosen)), self._page_size):
            bare = [
                {k: v for k, v in item.items() if k not in ("apiVersion", "kind")}
                for item in chosen[start:][: self._page_size]
            ]
            yield {"metadata": {"resourceVersion": version}, "items": bare}

    async def present_version(self, resource: ApiResource) -> int:
        self._asked("version", resource.key(""))
        return self.version

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        limit_bytes: int | None = None,
        tail_lines: int | None = None,
        since: str | None = None,
        timestamps: bool = False,
        follow: bool = False,
    ) -> AsyncGenerator[bytes]:
        del container, since, timestamps, follow
        self._existing(self._asked("log", PODS.key(pod, namespace)))
        text = self.logs.get(pod, b"")
        if tail_lines is not None:
            text = b"".join(text.splitlines(keepends=True)[-tail_lines:])
        text = text[:limit_bytes]
        for start in range(0, len(text), 1000):
            yield text[start : start + 1000]

    async def apply(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        key = self._asked("apply", _key(resource, manifest))
        before = self.objects.get(key)
        after = merged(before, manifest) if before else dict(manifest)
        if after != before:
            self.objects[key] = self._stored(resource, after)
        return self._seen(key)

    async def create(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        key = self._asked("create", _key(resource, manifest))
        if key in self.objects:
            raise ApiError(409, "AlreadyExists", f'{resource.plural} "{key.name}" already exists')
        self.objects[key] = self._stored(resource, manifest)
        return self._seen(key)

    async def replace(self, resource: ApiResource, manifest: Mapping[str, Any]) -> Object:
        key = self._existing(self._asked("replace", _key(resource, manifest)))
        self._unchanged_since(key, manifest["metadata"])
        self.objects[key] = self._stored(resource, manifest)
        return self._seen(key)

    async def merge_patch(
        self, resource: ApiResource, name: str, namespace: str, patch: Mapping[str, Any], *, subresource: str = ""
    ) -> Object:
        key = self._existing(self._asked("patch", resource.key(name, namespace)))
        self._unchanged_since(key, patch.get("metadata", {}))
        before = self.objects[key]
        after = patched(before, {"status": patch["status"]} if subresource == "status" else patch)
        if after != before:
            self.objects[key] = self._stored(resource, after)
        seen = self._seen(key)
        if seen["metadata"].get("deletionTimestamp") and not seen["metadata"].get("finalizers"):
            return self.vanish(resource, name, namespace)
        return seen

    async def delete(
        self, resource: ApiResource, name: str, namespace: str = "", *, uid: str = "", foreground: bool = False
    ) -> None:
        if foreground:
            self.foreground.append(resource.key(name, namespace))
        key = self._existing(self._asked("delete", resource.key(name, namespace)))
        item = self.objects[key]
        if uid and uid != item["metadata"]["uid"]:
            raise ApiError(409, "Conflict", "the UID in the precondition does not match")
        if item["metadata"].get("finalizers"):
            ending = {**item, "metadata": {**item["metadata"], "deletionTimestamp": CREATED}}
            self.objects[key] = self._stored(resource, ending)
        else:
            self.vanish(resource, name, namespace)

    async def delete_collection(self, resource: ApiResource, namespace: str, *, labels: str) -> None:
        self._asked("delete collection", resource.key("", namespace))
        label, _, names = labels.partition(" in ")
        wanted = names.strip("()").split(",")
        for key, item in list(self.objects.items()):
            is_meant = (key.group, key.kind, key.namespace) == (resource.group, resource.kind, namespace)
            if is_meant and (item["metadata"].get("labels") or {}).get(label) in wanted:
                self.vanish(resource, key.name, key.namespace)

    def _asked(self, verb: str, key: ObjectKey) -> ObjectKey:
        self.requests.append((verb, key))
        if failures := self._failures.get(verb):
            raise failures.pop(0)
        return key

    def _existing(self, key: ObjectKey) -> ObjectKey:
        if key not in self.objects:
            raise ApiError(404, "NotFound", f'"{key.name}" not found')
        return key

    def _unchanged_since(self, key: ObjectKey, metadata: Mapping[str, Any]) -> None:
        current = self.objects[key]["metadata"]
        for name in ("resourceVersion", "uid"):
            if metadata.get(name, current[name]) != current[name]:
                raise ApiError(409, "Conflict", "the object has been modified")

    def _stored(self, resource: ApiResource, item: Mapping[str, Any]) -> Object:
        self.version += 1
        known = {"uid": f"uid-{self.version}", "creationTimestamp": CREATED, **item["metadata"]}
        stored = {"apiVersion": resource.api_version, "kind": resource.kind, **copy.deepcopy(dict(item))}
        return {**stored, "metadata": {**copy.deepcopy(known), "resourceVersion": str(self.version)}}

    def _seen(self, key: ObjectKey) -> Object:
        return copy.deepcopy(self.objects[key])


def _key(resource: ApiResource, manifest: Mapping[str, Any]) -> ObjectKey:
    return resource.key(manifest["metadata"]["name"], manifest["metadata"].get("namespace", ""))


def _selected(values: Mapping[str, Any], selector: str) -> bool:
    return all(
        values.get(key) == value for key, _, value in (part.partition("=") for part in selector.split(",") if part)
    )
