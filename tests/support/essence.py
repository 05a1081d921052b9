"""What two objects, or two families of them, have in common when only names and times differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headgate.cluster.client import Object
from headgate.desired.keys import CHILD_KINDS, NAMESPACE, RESOURCE_QUOTA, ApiResource
from tests.support.cluster import Cluster

_OF_ONE_ALONE = {
    *("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "observedGeneration"),
    *("lastTransitionTime", "workspaceId", "headgate.dev/workspace-id", "headgate.dev/desired-hash"),
}
_LABELS = "app.kubernetes.io/managed-by=headgate,headgate.dev/workspace="


def essence(item: Any, name: str) -> Any:
    """The item without what is its own alone, and with THIS for its name."""
    if isinstance(item, Mapping):
        return {
            str(essence(key, name)): essence(value, name) for key, value in item.items() if key not in _OF_ONE_ALONE
        }
    if isinstance(item, list):
        return [essence(value, name) for value in item]
    return item.replace(name, "THIS") if isinstance(item, str) else item


async def family(cluster: Cluster, resource: ApiResource, name: str, namespace: str) -> dict[str, Any]:
    """Spec, status and finalizers of an object, and the children of a Workspace, without what is its own alone."""
    item = await cluster.kube.get(resource, name, namespace)
    found: dict[str, Any] = {
        "spec": item["spec"],
        "status": _without_counts(item.get("status")),
        "finalizers": item["metadata"].get("finalizers", []),
    }
    for kind in CHILD_KINDS if resource.kind == "Workspace" else ():
        for child in await _children(cluster, kind, name):
            metadata = child["metadata"]
            told = {key: value for key, value in child.items() if (kind, key) != (RESOURCE_QUOTA, "status")}
            found[f"{kind.kind} {metadata.get('namespace', '')}/{metadata['name']}"] = told
    result: dict[str, Any] = essence(found, name)
    return result


def _without_counts(status: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The status without how much is used: Kubernetes counts that when it finds the time, which may take minutes."""
    if status is None or "usage" not in status:
        return status
    usage = [{key: value for key, value in item.items() if key != "used"} for item in status["usage"]]
    return {**status, "usage": usage}


async def _children(cluster: Cluster, kind: ApiResource, workspace: str) -> list[Object]:
    if not kind.namespaced:
        return await cluster.list(kind, labels=_LABELS + workspace)
    namespaces = await cluster.list(NAMESPACE, labels=_LABELS + workspace)
    listed = [await cluster.list(kind, item["metadata"]["name"], _LABELS + workspace) for item in namespaces]
    return [child for children in listed for child in children]


def differences(one: Any, other: Any, way: str = "") -> list[str]:
    """Where two values differ, for people."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [found for key in keys for found in differences(one.get(key), other.get(key), f"{way}/{key}")]
    return [] if one == other else [f"{way}: {json.dumps(one)[:300]} is not {json.dumps(other)[:300]}"]
