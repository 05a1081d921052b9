"""Pods and servers that connect to each other, for `test_network`."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry

from hack.cluster.provider import ClusterProvider
from hack.kube import Kube
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import connect
from headgate.cluster.endpoints import api_addresses

Place: TypeAlias = tuple[str, int]
PORTS = (5432, 8080, 8443)
"""Where every pod listens."""
OUTSIDE = "outside"
"""The source that is no pod: this process."""

_SERVE = """
import socketserver, sys, threading
for port in sys.argv[1:]:
    server = socketserver.ThreadingTCPServer(("", int(port)), socketserver.BaseRequestHandler)
    threading.Thread(target=server.serve_forever).start()
"""
_TRY = """
import json, socket, sys
def reached(place):
    try:
        socket.create_connection(place, timeout=2).close()
    except OSError:
        return False
    return True
print(json.dumps([reached(tuple(place)) for place in json.loads(sys.argv[1])]))
"""


class Town:
    """The pods, by name and namespace, and where everything is."""

    def __init__(self, kube: Kube, homes: Mapping[str, str], places: Mapping[str, Place]) -> None:
        self._kube = kube
        self._homes = homes
        self._places = places

    def reached(self, connections: Mapping[str, tuple[str, str]]) -> dict[str, bool]:
        """Which of the connections, each from a source to a place, come about now."""
        found: dict[str, bool] = {}
        for source in {source for source, _ in connections.values()}:
            names = [name for name, connection in connections.items() if connection[0] == source]
            places = [self._places[connections[name][1]] for name in names]
            found |= zip(names, self._tried(source, places), strict=True)
        return found

    def _tried(self, source: str, places: list[Place]) -> list[bool]:
        if source == OUTSIDE:
            return [_answers(place) for place in places]
        command = ("exec", f"--namespace={self._homes[source]}", source, "--", "python", "-c", _TRY, json.dumps(places))
        tried: list[bool] = json.loads(self._kube.kubectl(*command))
        return tried


def _answers(place: Place) -> bool:
    try:
        socket.create_connection(place, timeout=2).close()
    except OSError:
        return False
    return True


def a_pod(name: str, namespace: str, image: str) -> dict[str, Any]:
    """A pod that listens on all of `PORTS`, as restricted namespaces take it."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", _SERVE, *map(str, PORTS)],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"tcpSocket": {"port": PORTS[-1]}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [container],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }


def listen(host: str, stack: ExitStack) -> int:
    """A server of this machine that takes connections until the stack is closed; its port."""
    listener = stack.enter_context(socket.create_server((host, 0)))

    def serve() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    stack.callback(listener.shutdown, socket.SHUT_RDWR)
    return int(listener.getsockname()[1])


def addresses_of_api(provider: ClusterProvider) -> tuple[str, ...]:
    """What the operator would find out."""

    async def asked() -> tuple[str, ...]:
        connection = connect(str(provider.kubeconfig))
        client = KubeClient(connection, KubeClient.counter(CollectorRegistry()))
        try:
            return await api_addresses(client, connection.server)
        finally:
            await client.aclose()

    return asyncio.run(asked())


def endpoints(kube: Kube, namespace: str, service: str) -> list[Place]:
    """What is behind a Service."""
    label = f"--selector=kubernetes.io/service-name={service}"
    slices = kube.get("endpointslices", f"--namespace={namespace}", label)["items"]
    return [
        (address, item["ports"][0]["port"])
        for item in slices
        for endpoint in item["endpoints"]
        for address in endpoint["addresses"]
    ]


def service_address(kube: Kube, namespace: str, name: str) -> str:
    """The address of a Service."""
    address: str = kube.get("service", name, f"--namespace={namespace}")["spec"]["clusterIP"]
    return address


def pod_address(kube: Kube, namespace: str, name: str) -> str:
    """The address of a pod, once it listens."""
    where = f"--namespace={namespace}"
    kube.kubectl("wait", where, "--for=condition=Ready", f"pod/{name}", "--timeout=180s")
    address: str = kube.get("pod", name, where)["status"]["podIP"]
    return address
