"""Carrying out the plan for a workspace's children."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import TypeVar

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.desired.keys import NAMESPACE, ChildKind, ObjectKey, child_kind, key_of
from headgate.desired.manifest import Manifest
from headgate.desired.plan import Deletion, MergePatch, Plan, Replacement, plan

T = TypeVar("T")


class Children:
    """Applies and prunes. Every answer goes into the cache, so that the next plan is made on it."""

    def __init__(self, kube: KubeClient, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache

    async def bring_about(self, workspace: str, desired: tuple[Manifest, ...]) -> Plan:
        """Write what differs: one request per object, namespaces first. Returns the plan that was carried out.

        Raises the first ``ApiError`` or ``Unreachable`` after all requests that were possible have been made.
        """
        live = self._live(workspace, desired)
        planned = plan(desired, live)
        taken = [name for name in await _all(self._create(m) for m in planned.create) if name is not None]
        if taken:
            others = await _all(self._kube.get(NAMESPACE, name) for name in taken)
            live.update({NAMESPACE.key(item["metadata"]["name"]): item for item in others})
            planned = replace(plan(desired, live), create=())
        await _all(self._replace(replacement) for replacement in planned.replace)
        await _all(self._apply(manifest) for manifest in planned.apply)
        await _all(self._strip(patch) for patch in planned.extras)
        await _all(self.delete(deletion) for deletion in planned.prune)
        return planned

    async def delete(self, deletion: Deletion) -> None:
        """Delete that very object; being gone already is as good."""
        kind = _kind(deletion.key)
        try:
            await self._kube.delete(kind, deletion.key.name, deletion.key.namespace, uid=deletion.uid)
        except ApiError as error:
            if not (error.is_not_found or error.is_conflict):
                raise
        self._cache.drop(deletion.key, deletion.uid)

    def _live(self, workspace: str, desired: tuple[Manifest, ...]) -> dict[ObjectKey, Object]:
        live = dict(self._cache.children(workspace))
        for manifest in desired:
            key = key_of(manifest)
            if key not in live and (item := self._cache.get(key)) is not None:
                live[key] = item
        return live

    async def _create(self, manifest: Manifest) -> str | None:
        """The name of the namespace where it exists already."""
        try:
            self._cache.upsert(NAMESPACE, await self._kube.create(NAMESPACE, manifest))
        except ApiError as error:
            if not error.is_already_exists:
                raise
            return str(manifest["metadata"]["name"])
        return None

    async def _apply(self, manifest: Manifest) -> None:
        kind = _kind(key_of(manifest))
        self._cache.upsert(kind, await self._kube.apply(kind, manifest))

    async def _replace(self, replacement: Replacement) -> None:
        await self.delete(replacement.deletion)
        await self._apply(replacement.manifest)

    async def _strip(self, patch: MergePatch) -> None:
        kind = _kind(patch.key)
        stripped = await self._kube.merge_patch(kind, patch.key.name, patch.key.namespace, patch.patch)
        self._cache.upsert(kind, stripped)


async def _all(steps: Iterable[Awaitable[T]]) -> list[T]:
    """Take every step, whatever becomes of the others; then raise the first failure."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


def _kind(key: ObjectKey) -> ChildKind:
    kind = child_kind(key.group, key.kind)
    if kind is None:
        raise ValueError(f"{key} is not of a kind of child")
    return kind
