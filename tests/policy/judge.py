"""Asks cyclonus whether connections are allowed by NetworkPolicies, without a cluster."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_VERDICT = re.compile(r"IS ALLOWED\?\s*\|\s*(TRUE|FALSE)")


@dataclass(frozen=True)
class Peer:
    """One end of a connection: an address, and what is known of the pod where it is one's."""

    ip: str
    namespace: str = ""
    """Empty for what is no pod."""
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """In cyclonus' form."""
        internal = {
            "Namespace": self.namespace,
            "NamespaceLabels": dict(self.namespace_labels),
            "PodLabels": dict(self.pod_labels),
        }
        return {"IP": self.ip, **({"Internal": internal} if self.namespace else {})}


@dataclass(frozen=True)
class Connection:
    """Who connects where."""

    source: Peer
    destination: Peer
    port: int
    protocol: str = "TCP"

    def to_wire(self) -> dict[str, Any]:
        """In cyclonus' form."""
        return {
            "Source": self.source.to_wire(),
            "Destination": self.destination.to_wire(),
            "ResolvedPort": self.port,
            "Protocol": self.protocol,
        }


def verdicts(
    cyclonus: Path, policies: Iterable[Mapping[str, Any]], connections: Sequence[Connection], scratch: Path
) -> list[bool]:
    """Whether each of the connections is allowed, by both ends' policies."""
    listed = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": list(policies)}
    (scratch / "policies.json").write_text(json.dumps(listed))
    (scratch / "traffic.json").write_text(json.dumps([connection.to_wire() for connection in connections]))
    done = subprocess.run(
        [
            str(cyclonus),
            "analyze",
            "--mode=query-traffic",
            # As they are written, and not what cyclonus makes of them.
            "--simplify-policies=false",
            f"--policy-path={scratch / 'policies.json'}",
            f"--traffic-path={scratch / 'traffic.json'}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [verdict == "TRUE" for verdict in _VERDICT.findall(done.stdout)]
    if done.returncode or len(found) != len(connections):
        raise RuntimeError(f"{len(found)} verdicts on {len(connections)} connections: {done.stderr[-2000:]}")
    return found
