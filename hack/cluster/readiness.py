"""The conditions that make a cluster usable, and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable

from hack.cluster import dns, health
from hack.cluster.api import Api
from hack.cluster.network import Addresses

_PAUSE = 0.1


def node_ready(api: Api, node: str) -> bool:
    """Whether the node takes pods: ready, and no longer tainted as if it were not."""
    found = api.get(f"/api/v1/nodes/{node}")
    if found is None or found["spec"].get("taints"):
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in found["status"].get("conditions", []))


def unmet(api: Api, node: str, addresses: Addresses) -> str | None:
    """The first condition that does not hold, in words; None when the cluster is usable."""
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    if not api.ready():
        return "the API server is ready"
    if sick := health.unhealthy(addresses):
        return f"{sick} is healthy"
    conditions: list[tuple[str, Callable[[], bool]]] = [
        ("the node is ready", lambda: node_ready(api, node)),
        ("the default ServiceAccount exists", lambda: api.get(account) is not None),
        ("the kube-dns Service answers", lambda: dns.answers(addresses)),
    ]
    for words, holds in conditions:
        try:
            if not holds():
                return words
        except OSError:
            return words
    return None


def wait(what: str, holds: Callable[[], bool], *, seconds: float, alive: Callable[[], None]) -> None:
    """Waits until something holds; `alive` may end the wait early by raising."""
    deadline = time.monotonic() + seconds
    while not holds():
        alive()
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(_PAUSE)
