"""Where a cluster to work with comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hack.cluster.existing import ExistingContext
from hack.cluster.kind import KindCluster
from hack.cluster.local import LocalCluster
from hack.image import docker_answers


class ClusterProvider(Protocol):
    """A cluster that can be had and let go; every way to have one promises the same."""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file for this cluster alone, there once `up` returned."""
        ...

    def up(self) -> None:
        """Returns when the cluster is usable; does nothing when it already is."""
        ...

    def down(self) -> None:
        """Removes what `up` made, and nothing else; does nothing when that is gone."""
        ...

    def load_image(self, archive: Path, tag: str) -> None:
        """Gives every node the image of this tag from a docker archive."""
        ...

    def folder(self, user: int, within: str) -> Path | None:
        """A folder of its only node, and one ``within`` it, both this user's alone; they go with the cluster.

        None where there is none.
        """
        ...

    def host_address(self) -> str:
        """The address at which pods reach a process that listens on this host."""
        ...

    def pod_cidr(self) -> str:
        """The range that a pod's connection comes from, as a process that listens on this host sees it."""
        ...


def choose(name: str, state: Path, context: str | None = None) -> ClusterProvider:
    """The named context of the user's kubeconfig; else kind, where a Docker engine answers; else plain processes."""
    if context is not None:
        return ExistingContext(context, state)
    if docker_answers():
        return KindCluster(name, state)
    return LocalCluster(name, state)
