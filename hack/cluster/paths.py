"""Where things live: the cache shared by every checkout, and the folders of one cluster."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).resolve().parent / "modules"


def cache_root() -> Path:
    """The folder, outside every checkout, that holds what is expensive to make again."""
    explicit = os.environ.get("HEADGATE_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate"


@dataclass(frozen=True)
class Layout:
    """The folders and names that belong to one cluster and to no other."""

    name: str
    state: Path

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", self.name):
            raise ValueError(f"{self.name!r} cannot name a cluster: use up to 40 of a-z, 0-9 and -")
        # It ends up in configuration files and mount options that have their own quoting rules.
        if not re.fullmatch(r"[A-Za-z0-9/._+-]+", str(self.state)):
            raise ValueError(f"{self.state} cannot hold a cluster: use a path of plain letters and digits")

    @property
    def run(self) -> Path:
        """Sockets and namespaces: short paths, gone after a reboot or worthless."""
        return Path("/run/headgate") / self.name

    @property
    def netns(self) -> str:
        """The name of the cluster's network namespace."""
        return f"hg-{self.name}"

    @property
    def cgroup(self) -> str:
        """The cgroup, in every hierarchy, below which everything of the cluster runs."""
        return f"/headgate-{self.name}"

    @property
    def pki(self) -> Path:
        """Keys, certificates, and the kubeconfig of each component."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """The configuration files of the components."""
        return self.state / "config"

    @property
    def logs(self) -> Path:
        """What `down` leaves behind."""
        return self.state / "logs"

    @property
    def volume(self) -> Path:
        """What a volume of the node holds, which all pods of Headgate share."""
        return self.state / "volume"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.run / "containerd.sock"
