"""The cluster's DNS: its Service, its rights, and one question to see that it answers."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import Any

from hack.cluster.api import Api
from hack.cluster.network import Addresses

_TIMEOUT = 1.0
_ANSWER_COUNT = slice(6, 8)


def install(api: Api, addresses: Addresses) -> None:
    """Creates the Service `kube-dns`, which leads to the CoreDNS on the node, and lets CoreDNS read."""
    for path, manifest in _manifests(addresses):
        api.apply(path, manifest)


def answers(addresses: Addresses) -> bool:
    """Whether the Service `kube-dns` resolves the API server's name."""
    identity = secrets.token_bytes(2)
    labels = b"kubernetes.default.svc.cluster.local".split(b".")
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    question = identity + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_TIMEOUT)
        try:
            client.sendto(question, (str(addresses.dns), 53))
            answer = client.recv(512)
        except OSError:
            return False
    found = struct.unpack("!H", answer[_ANSWER_COUNT])[0] > 0
    return answer.startswith(identity) and found and addresses.api_service.packed in answer


def _manifests(addresses: Addresses) -> list[tuple[str, dict[str, Any]]]:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    return [
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/headgate:coredns", _role()),
        ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/headgate:coredns", _binding()),
        (
            "/api/v1/namespaces/kube-system/services/kube-dns",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "kube-dns", "labels": {"k8s-app": "kube-dns"}},
                "spec": {"clusterIP": str(addresses.dns), "ports": ports},
            },
        ),
        (
            "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns",
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "kube-dns", "labels": {"kubernetes.io/service-name": "kube-dns"}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [str(addresses.node)], "conditions": {"ready": True}}],
                "ports": ports,
            },
        ),
    ]


def _role() -> dict[str, Any]:
    read = ["list", "watch"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "headgate:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "namespaces", "pods"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
        ],
    }


def _binding() -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "headgate:coredns"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "headgate:coredns"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "headgate:coredns"}],
    }
