"""What a bare script needs for the same objects: nobody decides, watches or writes a status."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.fleet import all_of, listed
from headgate.api.quota import Quota
from headgate.api.workspace import Workspace
from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError
from headgate.desired.context import ClusterFacts
from headgate.desired.keys import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    NAMESPACE,
    RESOURCE_QUOTA,
    ChildKind,
    child_kind,
    key_of,
)
from headgate.desired.manifest import Manifest
from headgate.desired.workspace import children
from tests.support.waiting import eventually

_FACTS = ClusterFacts(operator_namespace="headgate-system")
_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "benchmark"
"""Stands in for `headgate` in a label, so that no operator takes the objects for its own."""


def manifests(workspaces: Sequence[Workspace], quota: Quota) -> list[Manifest]:
    """Every child of the Workspaces, which need not exist: nothing refers to them as the owner."""
    return [_free(item) for workspace in workspaces for item in children(workspace, quota, _FACTS)]


async def make(kube: KubeClient, objects: Sequence[Manifest]) -> float:
    """Create the namespaces and then apply all else, as the operator does it; the seconds that it took."""
    started = time.monotonic()
    spaces = [item for item in objects if item["kind"] == NAMESPACE.kind]
    others = [item for item in objects if item["kind"] != NAMESPACE.kind]
    await all_of([partial(kube.create, NAMESPACE, item) for item in spaces], "namespaces created")
    await all_of([partial(kube.apply, _kind(item), item) for item in others], "children applied")
    return time.monotonic() - started


async def until_settled(kube: KubeClient) -> None:
    """Return when the cluster counts for all ResourceQuotas, and so has no more work with the objects."""

    async def counted() -> bool:
        found = [item async for item in listed(kube, RESOURCE_QUOTA, labels=f"{_MANAGED_BY}={MANAGER}")]
        return all(item.get("status", {}).get("used", {}).keys() == item["spec"]["hard"].keys() for item in found)

    await eventually(counted, within=180, every=1.0, what="the counts of every ResourceQuota")


async def remove(kube: KubeClient, objects: Sequence[Manifest]) -> None:
    """Delete them; what is in a namespace goes with it."""
    outer = [key_of(item) for item in objects if item["kind"] in _CLUSTER_SCOPED]
    await all_of([partial(_gone, kube, _CLUSTER_SCOPED[key.kind], key.name) for key in outer], "deleted")


_CLUSTER_SCOPED = {kind.kind: kind for kind in (NAMESPACE, CLUSTER_ROLE, CLUSTER_ROLE_BINDING)}


async def _gone(kube: KubeClient, resource: ChildKind, name: str) -> None:
    try:
        await kube.delete(resource, name)
    except ApiError as error:
        if not error.is_not_found:
            print(f"left behind: {resource.kind} {name}: {error}")


def _kind(manifest: Mapping[str, Any]) -> ChildKind:
    key = key_of(manifest)
    kind = child_kind(key.group, key.kind)
    if kind is None:
        raise ValueError(f"{key} is of no kind that a Workspace has")
    return kind


def _free(manifest: Manifest) -> Manifest:
    body = copy.deepcopy(dict(manifest))
    body["metadata"].pop("ownerReferences", None)
    body["metadata"]["labels"][_MANAGED_BY] = MANAGER
    return body
