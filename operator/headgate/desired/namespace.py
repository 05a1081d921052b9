"""The Namespace of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.desired.keys import NAMESPACE
from headgate.desired.manifest import Manifest, child

if TYPE_CHECKING:
    from headgate.desired.context import NamespaceContext

_POD_SECURITY = "pod-security.kubernetes.io"
_MODES = ("enforce", "warn", "audit")


def namespace(context: NamespaceContext) -> Manifest:
    """The Namespace, with the workspace's Pod Security level in all three modes and of the newest version."""
    level = context.workspace.spec.pod_security.value
    labels = {f"{_POD_SECURITY}/{mode}": level for mode in _MODES}
    labels |= {f"{_POD_SECURITY}/{mode}-version": "latest" for mode in _MODES}
    return child(NAMESPACE, name=context.namespace, workspace=context.owner, labels=labels)
