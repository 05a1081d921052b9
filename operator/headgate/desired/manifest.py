"""What every child manifest has in common: the labels of a child, and its seal."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.desired.keys import ChildKind

Manifest: TypeAlias = dict[str, Any]
"""An object as it is sent to the API server, with ``apiVersion``, ``kind`` and ``metadata``."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "headgate"
WORKSPACE_LABEL = "headgate.dev/workspace"
MODE_LABEL = "headgate.dev/mode"
"""On Jobs of Test and Debug runs, and on their pods."""
HASH_ANNOTATION = "headgate.dev/desired-hash"


def child(
    kind: ChildKind,
    *,
    name: str,
    workspace: str,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owner: Mapping[str, str] | None = None,
    **sections: Any,
) -> Manifest:
    """A sealed child of the workspace with its two labels, ``labels`` besides, and ``sections`` at the top level.

    ``owner`` is the owner reference of a child that Kubernetes is to remove with its Workspace.
    """
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = {**(labels or {}), MANAGED_BY_LABEL: MANAGED_BY, WORKSPACE_LABEL: workspace}
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owner:
        metadata["ownerReferences"] = [dict(owner)]
    return sealed({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **sections})


def sealed(manifest: Manifest) -> Manifest:
    """A copy of the manifest with its hash as annotation.

    The hash is the same for the same content in any key order, and ignores a seal that is there already. A live object
    with another seal was last applied from another manifest: that is how a field that is no longer wanted is noticed,
    where the object may hold fields of others as well.
    """
    metadata = dict(manifest["metadata"])
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != HASH_ANNOTATION}
    metadata.pop("annotations", None)
    bare = {**manifest, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    seal = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {**bare, "metadata": {**metadata, "annotations": {**annotations, HASH_ANNOTATION: seal}}}


def labels_of(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of a manifest or live object; none is an empty mapping."""
    return manifest.get("metadata", {}).get("labels") or {}


def owner_of(manifest: Mapping[str, Any]) -> str | None:
    """The workspace whose child the object says it is, or None where it is not a child of any."""
    labels = labels_of(manifest)
    return labels.get(WORKSPACE_LABEL) if labels.get(MANAGED_BY_LABEL) == MANAGED_BY else None
