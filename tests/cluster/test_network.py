"""Real pods that connect, while NetworkPolicies hold: two tenants, the API server, DNS and a server of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress

import pytest

from hack.cluster.local import LocalCluster
from hack.cluster.provider import ClusterProvider
from hack.cluster.readiness import wait
from hack.kube import Kube
from headgate.desired.context import ClusterFacts
from headgate.desired.keys import NAMESPACE, NETWORK_POLICY
from tests.cluster.network_support import (
    PORTS,
    Town,
    a_pod,
    addresses_of_api,
    endpoints,
    listen,
    pod_address,
    service_address,
)
from tests.support.cluster import unique
from tests.unit.desired.builders import a_workspace, children_of

ACME, GLOBEX = unique("acme"), unique("globex")
DATA = f"{ACME}-data"
HOMES = {"web": ACME, "web-too": ACME, "data": DATA, "other": GLOBEX}

CASES: Mapping[str, tuple[str, str, bool]] = {
    "between pods of one namespace": ("web", "web-too:8080", False),
    "to an own namespace that is declared": ("web", "data:5432", True),
    "to that namespace on another port": ("web", "data:8080", False),
    "from that namespace back": ("data", "web:5432", False),
    "to another tenant": ("web", "other:8080", False),
    "to another tenant by a declared range that holds its pods": ("web", "other:8443", False),
    "from a tenant that declared nothing": ("other", "web:8080", False),
    "to a declared address": ("web", "outside:declared", True),
    "from every namespace to a declared address": ("data", "outside:declared", True),
    "to that address on another port": ("web", "outside:other", False),
    "to an address, nothing declared": ("other", "outside:declared", False),
    "to the API server's Service within a declared range": ("web", "api:service", False),
    "to the API server itself within a declared range": ("web", "api:itself", False),
    "to the API server, nothing declared": ("other", "api:service", False),
    "to DNS": ("other", "dns", True),
    "from a declared address": ("outside", "web:8080", True),
    "from that address on another port": ("outside", "web:8443", False),
    "from that address to another tenant": ("outside", "other:8080", False),
}
"""Who connects where, and whether that is to be allowed."""
CONNECTIONS = {name: (source, place) for name, (source, place, _) in CASES.items()}
WANTED = {name: allowed for name, (_, _, allowed) in CASES.items()}


@pytest.fixture(scope="module")
def town(provider: ClusterProvider, kube: Kube, image: str) -> Iterator[Town]:
    """Namespaces, policies and pods of two tenants, as the operator would have made them."""
    host = provider.host_address()
    with ExitStack() as stack:
        declared, other = listen(host, stack), listen(host, stack)
        api = endpoints(kube, "default", "kubernetes")[0]
        behind = [{"port": port} for port in (443, api[1], 8443)]
        tenants = [
            a_workspace(
                ACME,
                namespaces=[{"name": ACME}, {"name": DATA}],
                network={
                    "egress": [
                        {"cidr": f"{host}/32", "ports": [{"port": declared}]},
                        {"cidr": "10.0.0.0/8", "ports": behind},
                        {"cidr": "172.16.0.0/12", "ports": behind},
                        {"namespace": DATA, "ports": [{"port": 5432}]},
                    ],
                    "ingress": [
                        {"cidr": f"{host}/32", "ports": [{"port": 8080}]},
                        {"namespace": ACME, "ports": [{"port": 5432}]},
                    ],
                },
            ),
            a_workspace(GLOBEX),
        ]
        facts = ClusterFacts(
            "headgate-system",
            dns_addresses=tuple({address for address, _ in endpoints(kube, "kube-system", "kube-dns")}),
            api_addresses=addresses_of_api(provider),
        )
        made = [item for tenant in tenants for item in children_of(tenant, facts=facts).values()]
        stack.callback(
            kube.kubectl,
            "delete",
            "namespace",
            ACME,
            DATA,
            GLOBEX,
            "--wait=true",
            "--timeout=180s",
            "--ignore-not-found",
        )
        for kind in (NAMESPACE.kind, NETWORK_POLICY.kind):
            for item in (item for item in made if item["kind"] == kind):
                kube.apply(item)
        for name, home in HOMES.items():
            kube.apply(a_pod(name, home, image))
        addresses = {name: pod_address(kube, home, name) for name, home in HOMES.items()}
        yield Town(
            kube,
            HOMES,
            {
                **{f"{name}:{port}": (ip, port) for name, ip in addresses.items() for port in PORTS},
                "outside:declared": (host, declared),
                "outside:other": (host, other),
                "api:service": (service_address(kube, "default", "kubernetes"), 443),
                "api:itself": api,
                "dns": (service_address(kube, "kube-system", "kube-dns"), 53),
            },
        )


@pytest.fixture(scope="module")
def before(town: Town, provider: ClusterProvider) -> dict[str, bool]:
    """What comes about while policies are only accepted: everything, or a denial would prove nothing.

    A cluster that always enforces them has nothing to show here.
    """
    return town.reached(CONNECTIONS) if isinstance(provider, LocalCluster) else dict.fromkeys(CASES, True)


@pytest.fixture(scope="module")
def enforced(town: Town, before: dict[str, bool], provider: ClusterProvider) -> dict[str, bool]:
    """What comes about while they are enforced, once that is as wanted or will not be."""
    found: dict[str, bool] = {}

    def as_wanted() -> bool:
        found.update(town.reached(CONNECTIONS))
        return found == WANTED

    enforcing: AbstractContextManager[None] = (
        provider.enforcing() if isinstance(provider, LocalCluster) else nullcontext()
    )
    with enforcing, suppress(TimeoutError):
        wait("every connection is as wanted", as_wanted, seconds=20, alive=lambda: None)
    return found


@pytest.mark.parametrize("name", CASES)
def test_without_enforcement_the_connection_comes_about(before: dict[str, bool], name: str) -> None:
    assert before[name]


@pytest.mark.parametrize("name", CASES)
def test_connection(enforced: dict[str, bool], name: str) -> None:
    assert enforced[name] is WANTED[name]


def test_enforcement_leaves_nothing_behind(
    enforced: dict[str, bool], before: dict[str, bool], town: Town, provider: ClusterProvider
) -> None:
    again = town.reached(CONNECTIONS) if isinstance(provider, LocalCluster) else before

    assert again == before
