"""What builders of children are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.api.quota import Quota
    from headgate.api.workspace import Workspace
    from headgate.domain.amounts import Amount


@dataclass(frozen=True)
class ClusterFacts:
    """What is the same for all workspaces of a cluster."""

    operator_namespace: str
    """Where Headgate itself runs."""
    dns_addresses: tuple[str, ...] = ()
    """Addresses of DNS servers that are not kube-system's ``k8s-app: kube-dns`` pods, such as a node-local cache."""
    gateway_namespace: str | None = None
    """Where the gateway runs; None where there is none, and then nothing is opened towards it."""


@dataclass(frozen=True)
class NamespaceContext:
    """One namespace of a workspace, for the builders of its children."""

    workspace: Workspace
    quota: Quota
    facts: ClusterFacts
    namespace: str
    """Name of the namespace."""
    hard: Mapping[str, Amount] = field(default_factory=dict)
    """The namespace's part of the workspace's compute and counts, by name of the resource."""

    @property
    def owner(self) -> str:
        """Name of the workspace."""
        return self.workspace.metadata.name
