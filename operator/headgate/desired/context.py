"""What builders of children are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.domain.addresses import host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.api.quota import Quota
    from headgate.api.workspace import Workspace
    from headgate.desired.runner_pod import RunnerPods
    from headgate.domain.amounts import Amount


@dataclass(frozen=True)
class ClusterFacts:
    """What is the same for all workspaces of a cluster. Raises ValueError for an address that is none."""

    operator_namespace: str
    """Where Headgate itself runs."""
    dns_addresses: tuple[str, ...] = ()
    """Addresses of DNS servers that are not kube-system's ``k8s-app: kube-dns`` pods, such as a node-local cache.

    Only their port 53 is opened, also where a cloud has its DNS server at the metadata address.
    """
    api_addresses: tuple[str, ...] = ()
    """Single addresses of the API server, as clients and as its endpoints: no tenant's declared egress reaches them."""
    runner_pods: RunnerPods | None = None
    """What pods of runners are made of; None where there is no gateway that they could work for."""
    gateway_namespace: str | None = None
    """Where the gateway runs; None where there is none, and then nothing is opened towards it."""
    log_reader: str | None = None
    """The ServiceAccount, where Headgate itself runs, that reads logs of pods of workspaces; None for none."""

    def __post_init__(self) -> None:
        for address in (*self.dns_addresses, *self.api_addresses):
            host(address)


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
    runners: int | None = None
    """Runners of the namespace's pool; None for no pool."""
    adopted: bool = False
    """Whether it existed before it became the workspace's."""

    @property
    def owner(self) -> str:
        """Name of the workspace."""
        return self.workspace.metadata.name
