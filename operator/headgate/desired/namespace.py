"""The Namespace of a workspace: its labels and, as annotations, what may be made in it.

Admission policies (``charts/headgate/templates/admission-*.yaml``) read these annotations from the namespace of every
request. So a namespace carries its own rules: they are in force as soon as it exists, there is no further object to be
missing, and the operator need not run. An annotation that is absent says what the constants below say of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.api.workspace import ADOPT_ANNOTATION
from headgate.desired.keys import NAMESPACE
from headgate.desired.manifest import Manifest, child, sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.api.placement import Toleration
    from headgate.api.workspace import Workspace
    from headgate.desired.context import NamespaceContext

WORKSPACE_NAMESPACES = "headgate.dev/workspace-namespaces"
"""All namespaces of the workspace, with commas between; always there."""
ALLOWED_REGISTRIES = "headgate.dev/allowed-registries"
"""What images' names may begin with, with commas between; absent: any."""
IMAGE_PULL_POLICY = "headgate.dev/image-pull-policy"
"""The policy that containers must have; absent: any."""
NODE_SELECTOR = "headgate.dev/node-selector"
"""What pods must select nodes by, as ``key=value,key=value``; absent: nothing."""
TOLERATIONS = "headgate.dev/tolerations"
"""What pods may tolerate, as ``key=value:effect`` or, for every value, ``key:effect``, with commas between; absent:
only what Kubernetes itself sets."""
PRIORITY_CLASSES = "headgate.dev/priority-classes"
"""PriorityClasses that pods may name, with commas between; absent: none."""
RUNTIME_CLASS = "headgate.dev/runtime-class"
"""The RuntimeClass that pods must name; absent: they may name none."""
STORAGE_CLASSES = "headgate.dev/storage-classes"
"""StorageClasses that claims may name, with commas between; absent: any."""
INGRESS_CLASSES = "headgate.dev/ingress-classes"
"""IngressClasses that Ingresses may name, with commas between; absent: any."""
REGIONS = "headgate.dev/regions"
"""Regions in which pods must run, with commas between; absent: any."""

ADOPTED = "headgate.dev/adopted"
"""``true`` on a namespace that existed before it became a workspace's: it is let go in the end, never deleted."""

_POD_SECURITY = "pod-security.kubernetes.io"
_MODES = ("enforce", "warn", "audit")


def namespace(context: NamespaceContext) -> Manifest:
    """The Namespace, with the workspace's Pod Security level in all three modes and of the newest version."""
    level = context.workspace.spec.pod_security.value
    labels = {f"{_POD_SECURITY}/{mode}": level for mode in _MODES}
    labels |= {f"{_POD_SECURITY}/{mode}-version": "latest" for mode in _MODES}
    made = child(
        NAMESPACE,
        name=context.namespace,
        workspace=context.owner,
        labels=labels,
        annotations=rules(context.workspace),
    )
    return as_adopted(made) if context.adopted else made


def as_adopted(manifest: Manifest) -> Manifest:
    """The Namespace with the mark of one that existed before."""
    metadata = manifest["metadata"]
    return sealed({**manifest, "metadata": {**metadata, "annotations": {**metadata["annotations"], ADOPTED: "true"}}})


def is_adopted(live: Mapping[str, Any]) -> bool:
    """Whether a live Namespace existed before it became a workspace's."""
    return (live["metadata"].get("annotations") or {}).get(ADOPTED) == "true"


def consents(live: Mapping[str, Any], workspace: str) -> bool:
    """Whether a live Namespace may be taken over by the workspace."""
    return (live["metadata"].get("annotations") or {}).get(ADOPT_ANNOTATION) == workspace


def rules(workspace: Workspace) -> Mapping[str, str]:
    """The annotations that tell admission policies what may be made in the workspace's namespaces."""
    spec = workspace.spec
    said = {
        WORKSPACE_NAMESPACES: _listed(wanted.name for wanted in workspace.namespaces),
        ALLOWED_REGISTRIES: _listed(spec.images.allowed_registries),
        IMAGE_PULL_POLICY: spec.images.pull_policy or "",
        NODE_SELECTOR: _listed(f"{key}={value}" for key, value in sorted(spec.scheduling.node_selector.items())),
        TOLERATIONS: _listed(map(_toleration, spec.scheduling.tolerations)),
        PRIORITY_CLASSES: _listed(spec.scheduling.priority_classes),
        RUNTIME_CLASS: spec.scheduling.runtime_class or "",
        STORAGE_CLASSES: _listed(spec.storage.allowed_classes),
        INGRESS_CLASSES: _listed(spec.exposure.allowed_classes),
        REGIONS: _listed(spec.residency.regions),
    }
    return {key: value for key, value in said.items() if value}


def _listed(words: Iterable[str]) -> str:
    return ",".join(words)


def _toleration(toleration: Toleration) -> str:
    value = "" if toleration.operator == "Exists" else f"={toleration.value or ''}"
    return f"{toleration.key}{value}:{toleration.effect}"
