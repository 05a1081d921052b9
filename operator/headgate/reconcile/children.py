"""Carrying out the plan for a workspace's children."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.desired.keys import (
    CLUSTER_ROLE_BINDING,
    DEPLOYMENT,
    NAMESPACE,
    RESOURCE_QUOTA,
    ROLE_BINDING,
    ChildKind,
    ObjectKey,
    child_kind,
    key_of,
)
from headgate.desired.limits import QUOTA_NAME
from headgate.desired.manifest import Manifest
from headgate.desired.plan import NO_CLAIMS, Claims, Deletion, MergePatch, Plan, Replacement, plan

T = TypeVar("T")

RECOUNT_AFTER = timedelta(seconds=20)
_LAST = (ROLE_BINDING.kind, CLUSTER_ROLE_BINDING.kind, DEPLOYMENT.kind)


class Children:
    """Applies and prunes. Every answer goes into the cache, so that the next plan is made on it."""

    def __init__(
        self, kube: KubeClient, cache: Cache, *, leave: Callable[[str], Awaitable[None]] | None = None
    ) -> None:
        """``leave`` is done in a namespace that is let go, as long as we may write there."""
        self._kube = kube
        self._cache = cache
        self._leave = leave

    async def bring_about(self, workspace: str, desired: tuple[Manifest, ...], claims: Claims = NO_CLAIMS) -> Plan:
        """Write what differs: one request per object, namespaces first and bindings last. Returns the plan carried out.

        Raises the first ``ApiError`` or ``Unreachable`` after all requests that were possible have been made.
        """
        live = self._live(workspace, desired)
        planned = plan(desired, live, claims)
        created = await _tried(self._create(manifest) for manifest in planned.create)
        failures = [result for result in created if isinstance(result, Exception)]
        closed = {
            str(manifest["metadata"]["name"])
            for manifest, result in zip(planned.create, created, strict=True)
            if isinstance(result, Exception)
        }
        if taken := {key_of(result): result for result in created if isinstance(result, dict)}:
            planned = replace(plan(desired, live | taken, claims), create=())
        for steps in self._stages(planned, closed):
            failures += [result for result in await _tried(steps) if isinstance(result, Exception)]
        if failures:
            raise failures[0]
        return planned

    def _stages(self, planned: Plan, closed: set[str]) -> Iterator[list[Awaitable[None]]]:
        """What is left of the plan once the namespaces are there, but for those in which nothing can be written."""

        def is_open(key: ObjectKey) -> bool:
            return (key.name if key.kind == NAMESPACE.kind else key.namespace) not in closed

        # The API server refuses a binding whose role is not there yet; members and pods come after what limits them.
        for last in (False, True):
            yield [
                write(manifest)
                for write, manifests in ((self._add, planned.add), (self._apply, planned.apply))
                for manifest in manifests
                if (manifest["kind"] in _LAST) is last and is_open(key_of(manifest))
            ]
        yield [self._replace(replacement) for replacement in planned.replace]
        yield [self._strip(patch) for patch in planned.extras]
        yield [self.delete(deletion) for deletion in planned.prune]

    def namespaces(self, workspace: str) -> dict[str, Object]:
        """The Namespaces that are labelled as the workspace's, by name."""
        return {key.name: item for key, item in self._cache.children(workspace) if key.kind == NAMESPACE.kind}

    async def lower(self, quotas: Iterable[Manifest]) -> None:
        """Apply these ResourceQuotas now. The answers say what is used, and no more than that will be."""
        failures = [result for result in await _tried(map(self._apply, quotas)) if isinstance(result, Exception)]
        if failures:
            raise failures[0]

    async def release(self, workspace: str, namespace: str) -> None:
        """Let an adopted namespace go: our children in it first, then all that we said about it."""
        if self._leave is not None:
            await self._leave(namespace)
        inside = [
            Deletion(key, item["metadata"]["uid"])
            for key, item in self._cache.children(workspace)
            if key.namespace == namespace and not item["metadata"].get("deletionTimestamp")
        ]
        failures = [result for result in await _tried(map(self.delete, inside)) if isinstance(result, Exception)]
        if failures:
            raise failures[0]
        key = NAMESPACE.key(namespace)
        uid = self._cache.uid(key)
        bare = {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.kind, "metadata": {"name": namespace}}
        await self._kube.apply(NAMESPACE, bare)
        if uid is not None:
            self._cache.drop(key, uid)

    def uncounted(self, namespace: str) -> tuple[str, ...]:
        """What the namespace's ResourceQuota limits and the cluster does not count yet: it is refused until then."""
        live = self._cache.get(RESOURCE_QUOTA.key(QUOTA_NAME, namespace))
        if live is None:
            return ()
        counted = live["status"]["used"]
        return tuple(sorted(key for key in live["spec"].get("hard", {}) if key not in counted))

    async def recount(self, namespace: str, desired: tuple[Manifest, ...], now: datetime) -> None:
        """Make a ResourceQuota anew that the cluster did not count for a while.

        The controller of ResourceQuotas learns of new kinds, such as ours just after an installation, every 30 seconds.
        A ResourceQuota that it saw before is not looked at again for five minutes, unless it changes.
        """
        key = RESOURCE_QUOTA.key(QUOTA_NAME, namespace)
        live = self._cache.get(key)
        if live is None or now - datetime.fromisoformat(live["metadata"]["creationTimestamp"]) < RECOUNT_AFTER:
            return
        for manifest in desired:
            if key_of(manifest) == key:
                await self._replace(Replacement(Deletion(key, live["metadata"]["uid"]), manifest))

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

    async def _create(self, manifest: Manifest) -> Object | None:
        """The namespace as it is, where it exists already."""
        try:
            self._cache.upsert(NAMESPACE, await self._kube.create(NAMESPACE, manifest))
        except ApiError as error:
            if not error.is_already_exists:
                raise
            return await self._kube.get(NAMESPACE, manifest["metadata"]["name"])
        return None

    async def _add(self, manifest: Manifest) -> None:
        kind = _kind(key_of(manifest))
        try:
            self._cache.upsert(kind, await self._kube.create(kind, manifest))
        except ApiError as error:
            if not error.is_already_exists:
                raise
            await self._apply(manifest)

    async def _apply(self, manifest: Manifest) -> None:
        kind = _kind(key_of(manifest))
        self._cache.upsert(kind, await self._kube.apply(kind, manifest))

    async def _replace(self, replacement: Replacement) -> None:
        await self.delete(replacement.deletion)
        await self._add(replacement.manifest)

    async def _strip(self, patch: MergePatch) -> None:
        kind = _kind(patch.key)
        stripped = await self._kube.merge_patch(kind, patch.key.name, patch.key.namespace, patch.patch)
        self._cache.upsert(kind, stripped)


async def _tried(steps: Iterable[Awaitable[T]]) -> list[T | Exception]:
    """Take every step, whatever becomes of the others: what each gave, or how it failed."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    tried: list[T | Exception] = []
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
        tried.append(result)
    return tried


def _kind(key: ObjectKey) -> ChildKind:
    kind = child_kind(key.group, key.kind)
    if kind is None:
        raise ValueError(f"{key} is not of a kind of child")
    return kind
