"""A cluster in containers, where a Docker engine is there to run them."""

from __future__ import annotations

import json
import shutil
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from pytest_kind.cluster import KindCluster as PytestKind

from hack.cluster import build, config
from hack.shell import run

_PATIENCE = "180s"
_FOLDER = "/var/lib/headgate-volume"


class KindCluster:
    """A kind cluster of one node, with a kubeconfig of its own; the user's is not touched.

    For Docker on Linux. pytest-kind creates and deletes it, with programs of ours, so that it downloads none, and with
    a kubeconfig of ours, so that it takes no other cluster for its own. Our continuous integration has no Docker
    engine: there only the commands are tested that reach kind.
    """

    def __init__(self, name: str, state: Path) -> None:
        """Names the cluster and its folder; nothing is touched yet."""
        self._name = name
        self._state = state.resolve()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, there once the cluster is up."""
        return self._state / "kubeconfig"

    @property
    def _node(self) -> str:
        return f"{self._name}-control-plane"

    def up(self) -> None:
        """Creates the cluster, or starts its node again after the machine was stopped."""
        (self._state / "logs").mkdir(parents=True, exist_ok=True)
        if self._exists():
            run("docker", "start", self._node)
            self._kind("export", "kubeconfig")
        else:
            self._create()
        self.kubeconfig.chmod(0o600)
        ready = ("wait", "--for=condition=Ready", f"node/{self._node}", f"--timeout={_PATIENCE}")
        run("docker", "exec", self._node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *ready)

    def down(self) -> None:
        """Deletes the cluster and its files, except the logs."""
        if self._exists():
            self._library().delete()
        for name in ("kubeconfig", "kind.json", "audit.json"):
            (self._state / name).unlink(missing_ok=True)

    def load_image(self, archive: Path, tag: str) -> None:
        """Gives the node the images of an archive."""
        run(_program(), "load", "image-archive", str(archive), f"--name={self._name}")
        held = run("docker", "exec", self._node, "crictl", "inspecti", "--output=json", tag)
        if not json.loads(held).get("status"):
            raise ValueError(f"{archive} does not hold an image {tag}")

    def folder(self, user: int, within: str) -> Path | None:
        """Folders in the node's container, which is deleted with them."""
        made = ("install", "-d", "-m", "0700", "-o", str(user), "-g", str(user), _FOLDER, f"{_FOLDER}/{within}")
        run("docker", "exec", self._node, *made)
        return Path(_FOLDER)

    def host_address(self) -> str:
        """The host's end of the network that kind's nodes are on."""
        return str(self._network()["Gateway"])

    def pod_cidr(self) -> str:
        """The network of the nodes: kind hides pods behind their node's address."""
        return str(self._network()["Subnet"])

    def _exists(self) -> bool:
        return self._name in run(_program(), "get", "clusters").split()

    def _library(self) -> PytestKind:
        """pytest-kind's view of the cluster. It leaves an empty folder in the working directory, which git ignores."""
        return PytestKind(
            self._name,
            kubeconfig=self.kubeconfig,
            kind_path=Path(_program()),
            kubectl_path=build.program("kubectl"),
        )

    def _create(self) -> None:
        policy = self._state / "audit.json"
        policy.write_text(json.dumps(config.audit_policy()))
        description = self._state / "kind.json"
        description.write_text(json.dumps(self._description(policy), indent=2))
        self._library().create(config_file=description)

    def _kind(self, *arguments: str) -> None:
        run(_program(), *arguments, f"--name={self._name}", f"--kubeconfig={self.kubeconfig}")

    def _network(self) -> dict[str, Any]:
        told = json.loads(run("docker", "network", "inspect", "kind"))
        blocks: list[dict[str, Any]] = told[0]["IPAM"]["Config"]
        for block in blocks:
            if isinstance(ip_network(block["Subnet"]), IPv4Network):
                return block
        raise RuntimeError("the Docker network `kind` has no IPv4 subnet")

    def _description(self, policy: Path) -> dict[str, Any]:
        """The same settings that the local cluster has, as far as kind lets them be set."""
        kubelet = {
            "kind": "KubeletConfiguration",
            "maxPods": 250,
            "serializeImagePulls": False,
            "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
        }
        audit = {
            "audit-policy-file": "/etc/kubernetes/headgate/audit.json",
            "audit-log-path": "/var/log/headgate/audit.log",
            "audit-log-maxsize": "100",
            "audit-log-maxbackup": "3",
        }
        policy_volume = {
            "name": "audit-policy",
            "hostPath": "/etc/kubernetes/headgate/audit.json",
            "mountPath": "/etc/kubernetes/headgate/audit.json",
            "readOnly": True,
            "pathType": "File",
        }
        log_volume = {
            "name": "audit-log",
            "hostPath": "/var/log/headgate",
            "mountPath": "/var/log/headgate",
            "readOnly": False,
            "pathType": "DirectoryOrCreate",
        }
        server = {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "apiServer": {
                "extraArgs": [{"name": name, "value": value} for name, value in audit.items()],
                "extraVolumes": [policy_volume, log_volume],
            },
        }
        node = {
            "role": "control-plane",
            "extraMounts": [
                {
                    "hostPath": str(policy),
                    "containerPath": "/etc/kubernetes/headgate/audit.json",
                    "readOnly": True,
                },
                {"hostPath": str(self._state / "logs"), "containerPath": "/var/log/headgate"},
            ],
        }
        return {
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "kind": "Cluster",
            "networking": {"ipFamily": "ipv4"},
            "nodes": [node],
            "kubeadmConfigPatches": [json.dumps(server), json.dumps(kubelet)],
        }


def _program() -> str:
    found = shutil.which("kind")
    if found is None:
        build.build(("kind",))
    return found or str(build.program("kind"))
