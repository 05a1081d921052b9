"""What a running cluster is known by between two commands: cluster.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from hack.cluster.network import Addresses
from hack.cluster.paths import Layout
from hack.cluster.processes import Process, boot_id


@dataclass
class State:
    """The addresses and processes of one cluster."""

    addresses: Addresses | None = None
    processes: dict[str, Process] = field(default_factory=dict)

    @staticmethod
    def recorded_name(folder: Path) -> str | None:
        """The name of the cluster that a folder holds."""
        try:
            name: str = json.loads((folder / "cluster.json").read_text())["name"]
        except FileNotFoundError:
            return None
        return name

    @classmethod
    def load(cls, layout: Layout) -> State:
        """The recorded state; processes of an earlier boot are dropped, they cannot be alive."""
        try:
            saved = json.loads((layout.state / "cluster.json").read_text())
        except FileNotFoundError:
            return cls()
        if saved["name"] != layout.name:
            raise ValueError(f"{layout.state} holds the cluster {saved['name']!r}, not {layout.name!r}")
        processes = {}
        if saved["boot_id"] == boot_id():
            processes = {name: Process(**recorded) for name, recorded in saved["processes"].items()}
        return cls(Addresses(saved["slot"]), processes)

    def save(self, layout: Layout) -> None:
        """Records the state, never by halves."""
        if self.addresses is None:
            raise ValueError("a cluster without addresses has no state to save")
        content = {
            "name": layout.name,
            "boot_id": boot_id(),
            "slot": self.addresses.slot,
            "server": self.addresses.server,
            "node_address": str(self.addresses.node),
            "host_address": str(self.addresses.host),
            "pod_cidr": str(self.addresses.pods),
            "service_cidr": str(self.addresses.services),
            "dns": str(self.addresses.dns),
            "kubeconfig": str(layout.kubeconfig),
            "processes": {name: vars(process) for name, process in self.processes.items()},
        }
        scratch = layout.state / ".cluster.json.new"
        scratch.write_text(json.dumps(content, indent=2) + "\n")
        scratch.rename(layout.state / "cluster.json")
