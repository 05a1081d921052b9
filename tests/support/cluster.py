"""A test's view of the cluster: apply, look, wait."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS, PODS, QUOTAS, WORKFLOW_RUNS, WORKFLOWS, WORKSPACES
from headgate.desired.keys import CHILD_KINDS, NAMESPACE, ApiResource
from tests.builders import Builder
from tests.support.waiting import PATIENCE_SECONDS, eventually

CONFIG_MAPS = ApiResource("", "v1", "ConfigMap", "configmaps", namespaced=True)
SECRETS = ApiResource("", "v1", "Secret", "secrets", namespaced=True)
_RESOURCES = {
    r.kind: r for r in (QUOTAS, WORKSPACES, WORKFLOWS, WORKFLOW_RUNS, JOBS, PODS, CONFIG_MAPS, SECRETS, *CHILD_KINDS)
}
T = TypeVar("T")
_PAUSE_SECONDS = 0.5


@dataclass
class Cluster:
    """One cluster, seen as its administrator."""

    kube: KubeClient
    image: str
    """An image that the node has, with Python and a shell."""

    async def apply(self, *objects: Builder[Any] | Mapping[str, Any]) -> None:
        """Apply objects as a person would."""
        for item in objects:
            manifest = item.manifest() if isinstance(item, Builder) else item
            await patiently(partial(self.kube.apply, _RESOURCES[manifest["kind"]], manifest))

    async def create(self, item: Builder[Any] | Mapping[str, Any]) -> Object:
        """Create one object."""
        manifest = item.manifest() if isinstance(item, Builder) else item
        return await self.kube.create(_RESOURCES[manifest["kind"]], manifest)

    async def get(self, resource: ApiResource, name: str, namespace: str = "") -> Object | None:
        """The object, or None."""
        try:
            return await patiently(lambda: self.kube.get(resource, name, namespace))
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def list(self, resource: ApiResource, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind."""

        async def listed() -> list[Object]:
            pages = self.kube.list_pages(resource, namespace=namespace, labels=labels)
            return [item async for page in pages for item in page["items"]]

        return await patiently(listed)

    async def until(
        self,
        resource: ApiResource,
        name: str,
        namespace: str,
        true: Callable[[Object], object],
        *,
        within: float = PATIENCE_SECONDS,
    ) -> Object:
        """The object, as soon as ``true`` holds of it."""
        last: list[Object | None] = [None]

        async def look() -> Object | None:
            last[0] = await self.get(resource, name, namespace)
            return last[0] if last[0] is not None and true(last[0]) else None

        try:
            return await eventually(look, within=within, what=f"{resource.kind} {namespace}/{name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {(last[0] or {}).get('status')}") from None

    async def until_gone(
        self, resource: ApiResource, name: str, namespace: str = "", *, within: float = PATIENCE_SECONDS
    ) -> None:
        """Return when there is no such object."""

        async def gone() -> bool:
            return await self.get(resource, name, namespace) is None

        await eventually(gone, within=within, what=f"the end of {resource.kind} {namespace}/{name}")

    async def ready_workspace(self, workspace: Builder[Any], *, within: float = PATIENCE_SECONDS) -> Object:
        """Apply a Workspace and wait until it is Ready."""
        await self.apply(workspace)
        name = workspace.manifest()["metadata"]["name"]
        return await self.until(WORKSPACES, name, "", is_ready, within=within)

    async def finished(self, run: str, namespace: str, *, within: float = PATIENCE_SECONDS) -> Object:
        """The WorkflowRun once it ended."""
        finals = ("Succeeded", "Failed", "Cancelled")
        return await self.until(
            WORKFLOW_RUNS, run, namespace, lambda item: item.get("status", {}).get("phase") in finals, within=within
        )

    async def annotate(self, resource: ApiResource, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of a cluster-scoped object, or with None take them off; nothing happens where it is gone."""
        try:
            change = {"metadata": {"annotations": dict(annotations)}}
            await patiently(lambda: self.kube.merge_patch(resource, name, "", change))
        except ApiError as error:
            if not error.is_not_found:
                raise

    async def remove(self, *, workspaces: tuple[str, ...] = (), quotas: tuple[str, ...] = ()) -> None:
        """Delete what a test made, and do not wait for it."""
        for name in workspaces:
            await self.annotate(WORKSPACES, name, {"headgate.dev/force-delete": "true"})
        named = [(WORKSPACES, name) for name in workspaces] + [(QUOTAS, name) for name in quotas]
        for resource, name in named:
            await self._delete(resource, name)
        for name in workspaces:
            for item in await self.list(NAMESPACE, labels=f"headgate.dev/workspace={name}"):
                await self._delete(NAMESPACE, item["metadata"]["name"])

    async def _delete(self, resource: ApiResource, name: str) -> None:
        try:
            await patiently(lambda: self.kube.delete(resource, name))
        except ApiError as error:
            if not (error.is_not_found or error.is_conflict):
                raise


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What a call gives that may be made again where no answer came: the API server is as busy as the tests make it."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        try:
            return await call()
        except Unreachable:
            if asyncio.get_running_loop().time() >= deadline:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


def condition(item: Object, kind: str) -> Mapping[str, Any]:
    """A condition of an object, or an empty mapping."""
    found = [c for c in item.get("status", {}).get("conditions", ()) if c["type"] == kind]
    return found[0] if found else {}


def is_ready(item: Object) -> bool:
    """Whether the object is Ready, and that speaks of its present generation."""
    ready = condition(item, "Ready")
    return ready.get("status") == "True" and ready.get("observedGeneration") == item["metadata"]["generation"]


def not_ready_because(reason: str) -> Callable[[Object], bool]:
    """Whether the object is not Ready, for that reason."""
    return lambda item: (
        condition(item, "Ready").get("status") == "False" and condition(item, "Ready")["reason"] == reason
    )


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"
