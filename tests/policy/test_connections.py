"""A table of connections between tenants, the cluster and the world, and what the policies that we build make of each.

Two tenants, acme with declared routes and globex with none, and two in which someone tries something: initech's owner
made a NetworkPolicy besides, and umbrella declares routes to and from a namespace of acme's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.desired.context import ClusterFacts
from headgate.desired.keys import NAMESPACE, NETWORK_POLICY
from tests.policy.judge import Connection, Peer, verdicts
from tests.unit.desired.builders import a_workspace, children_of

FACTS = ClusterFacts(
    "headgate-system",
    dns_addresses=("169.254.20.10",),
    api_addresses=("10.96.0.1", "10.20.0.5", "93.184.216.99", "fd00:10::1"),
    gateway_namespace="headgate-edge",
)
WEB = [{"port": 443}]
ACME = a_workspace(
    "acme",
    namespaces=[{"name": name} for name in ("acme-web", "acme-data", "acme-batch")],
    network={
        "egress": [
            {"cidr": "203.0.113.0/24", "ports": [{"port": 443}, {"port": 8000, "endPort": 8010}]},
            {"cidr": "192.0.2.0/28"},
            {"cidr": "10.0.0.0/8", "ports": WEB},
            {"cidr": "fd00::/8", "ports": WEB},
            {"cidr": "0.0.0.0/0", "ports": [{"port": 123, "protocol": "UDP"}]},
            {"cidr": "::/0", "ports": [{"port": 123, "protocol": "UDP"}]},
            {"cidr": "10.20.0.5/32"},
            {"namespace": "acme-data", "ports": [{"port": 5432}]},
            {"internet": True, "ports": [{"port": 8443}]},
        ],
        "ingress": [
            {"cidr": "198.51.100.0/24", "ports": [{"port": 8080}]},
            {"namespace": "acme-web", "ports": [{"port": 5432}, {"port": 9000}]},
        ],
    },
)
GLOBEX = a_workspace("globex")
INITECH = a_workspace("initech")
UMBRELLA = a_workspace(
    "umbrella", network={"egress": [{"namespace": "acme-data"}], "ingress": [{"namespace": "acme-web"}]}
)
CHILDREN = [item for tenant in (ACME, GLOBEX, INITECH, UMBRELLA) for item in children_of(tenant, facts=FACTS).values()]
OWN_POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "all-of-us", "namespace": "initech"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
        "egress": [{"to": [{"podSelector": {}}]}],
    },
}
POLICIES = [*(item for item in CHILDREN if item["kind"] == NETWORK_POLICY.kind), OWN_POLICY]
NAMESPACES: dict[str, dict[str, str]] = {
    item["metadata"]["name"]: item["metadata"]["labels"] for item in CHILDREN if item["kind"] == NAMESPACE.kind
}


def pod(namespace: str, ip: str, labels: Mapping[str, str] | None = None) -> Peer:
    named = {"kubernetes.io/metadata.name": namespace}
    return Peer(ip, namespace, labels or {}, {**NAMESPACES.get(namespace, {}), **named})


def at(ip: str) -> Peer:
    return Peer(ip)


web, web_too = pod("acme-web", "10.244.1.1"), pod("acme-web", "10.244.1.2", {"app": "b"})
data, batch = pod("acme-data", "10.244.1.3"), pod("acme-batch", "10.244.1.4")
web_v6 = pod("acme-web", "fd00:244::1")
globex, globex_too = pod("globex", "10.244.2.1"), pod("globex", "10.244.2.2")
globex_v6, globex_too_v6 = pod("globex", "fd00:244::2:1"), pod("globex", "fd00:244::2:2")
initech, initech_too = pod("initech", "10.244.3.1"), pod("initech", "10.244.3.2")
web_test = pod("acme-web", "10.244.1.5", {"headgate.dev/mode": "Test"})
data_debug = pod("acme-data", "10.244.1.6", {"headgate.dev/mode": "Debug"})
umbrella = pod("umbrella", "10.244.4.1")
DNS = {"k8s-app": "kube-dns"}
GATEWAY = {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/component": "gateway"}
# Pods of a tenant that dress up as the cluster's.
false_dns = pod("globex", "10.244.2.3", DNS)
false_gateway = pod("globex", "10.244.2.4", GATEWAY)
dns, in_kube_system = pod("kube-system", "10.244.0.2", DNS), pod("kube-system", "10.244.0.3")
gateway, beside_it = pod("headgate-edge", "10.244.0.4", GATEWAY), pod("headgate-edge", "10.244.0.5")
operator = pod("headgate-system", "10.244.0.6")


@dataclass(frozen=True)
class Case:
    """A connection, and whether it is to be allowed."""

    says: str
    connection: Connection
    allowed: bool


def yes(says: str, source: Peer, destination: Peer, port: int, protocol: str = "TCP") -> Case:
    return Case(says, Connection(source, destination, port, protocol), allowed=True)


def no(says: str, source: Peer, destination: Peer, port: int, protocol: str = "TCP") -> Case:
    return Case(says, Connection(source, destination, port, protocol), allowed=False)


CASES = (
    # The default, both ways.
    no("out to an address, nothing declared", globex, at("203.0.113.7"), 443),
    no("out to the internet, nothing declared", globex, at("1.1.1.1"), 8443),
    no("out over IPv6, nothing declared", globex_v6, at("2606:4700::1111"), 443),
    no("in from an address, nothing declared", at("198.51.100.7"), globex, 8080),
    no("in over IPv6, nothing declared", at("2606:4700::1111"), globex_v6, 8080),
    no("in from a node", at("10.20.0.9"), globex, 8080),
    no("in from a pod of the cluster", in_kube_system, globex, 8080),
    no("in from the gateway", gateway, globex, 8080),
    no("between pods of one namespace", globex, globex_too, 8080),
    no("between pods of one namespace over IPv6", globex_v6, globex_too_v6, 8080),
    no("between pods of one namespace, routes declared", web, web_too, 8080),
    # DNS.
    yes("DNS over UDP", globex, dns, 53, "UDP"),
    yes("DNS over TCP", globex, dns, 53),
    no("DNS pods on another port", globex, dns, 9153),
    no("DNS by SCTP", globex, dns, 53, "SCTP"),
    no("other pods of kube-system on 53", globex, in_kube_system, 53, "UDP"),
    no("pods that carry the label of DNS elsewhere", initech, false_dns, 53, "UDP"),
    yes("DNS at the address that is known", globex, at("169.254.20.10"), 53, "UDP"),
    no("that address on another port", globex, at("169.254.20.10"), 80),
    no("DNS at an address that is not known", globex, at("8.8.8.8"), 53, "UDP"),
    # The gateway.
    yes("to the gateway", globex, gateway, 8000),
    no("to what the gateway tells of itself", globex, gateway, 8080),
    no("to another pod of the gateway's namespace", globex, beside_it, 8080),
    no("to pods that carry the gateway's labels elsewhere", initech, false_gateway, 8080),
    no("to the operator", globex, operator, 8080),
    # Other tenants.
    no("to another tenant", globex, web, 8080),
    no("to another tenant's open port", globex, data, 5432),
    no("to another tenant by a declared range that holds its pods", web, globex, 443),
    no("to another tenant over IPv6 by such a range", web_v6, globex_v6, 443),
    no("to another tenant that would let the namespace in", web, umbrella, 443),
    no("to another tenant's namespace by its name", umbrella, data, 5432),
    # Namespaces of the same workspace.
    yes("to an own namespace that is declared", web, data, 5432),
    no("to that namespace on another port", web, data, 6379),
    no("to that namespace by another protocol", web, data, 5432, "UDP"),
    no("to an own namespace that lets the source in, but is no destination", web, batch, 9000),
    no("to an own namespace that is a destination, but does not let the source in", batch, data, 5432),
    no("from that namespace back", data, web, 5432),
    # Declared ranges.
    yes("a declared range and port", web, at("203.0.113.7"), 443),
    yes("the first address of the range", web, at("203.0.113.0"), 443),
    yes("the last address of the range", web, at("203.0.113.255"), 443),
    yes("from every namespace of the workspace", batch, at("203.0.113.7"), 443),
    no("beside the range", web, at("203.0.114.0"), 443),
    no("in the range on another port", web, at("203.0.113.7"), 22),
    no("in the range by another protocol", web, at("203.0.113.7"), 443, "UDP"),
    yes("the first of a range of ports", web, at("203.0.113.7"), 8000),
    yes("the last of a range of ports", web, at("203.0.113.7"), 8010),
    no("below a range of ports", web, at("203.0.113.7"), 7999),
    no("above a range of ports", web, at("203.0.113.7"), 8011),
    yes("every port where none is named", web, at("192.0.2.3"), 22),
    yes("every protocol where none is named", web, at("192.0.2.3"), 9, "SCTP"),
    yes("a range of IPv6", web_v6, at("fd12::7"), 443),
    yes("in from a declared range", at("198.51.100.7"), web, 8080),
    no("in from that range on another port", at("198.51.100.7"), web, 22),
    no("in from beside that range", at("198.51.101.7"), web, 8080),
    no("in from that range to another tenant", at("198.51.100.7"), initech, 8080),
    # Metadata.
    yes("everywhere", web, at("9.9.9.9"), 123, "UDP"),
    yes("everywhere over IPv6", web_v6, at("2620:fe::fe"), 123, "UDP"),
    no("the metadata address within everywhere", web, at("169.254.169.254"), 123, "UDP"),
    no("Amazon's over IPv6", web_v6, at("fd00:ec2::254"), 123, "UDP"),
    no("Google's over IPv6", web_v6, at("fd20:ce::254"), 443),
    no("Alibaba's", web, at("100.100.100.200"), 123, "UDP"),
    no("Azure's agent", web, at("168.63.129.16"), 8443),
    no("a link-local address of IPv6", web_v6, at("fe80::1"), 123, "UDP"),
    no("the metadata address translated", web_v6, at("64:ff9b::a9fe:a9fe"), 123, "UDP"),
    # The API server.
    no("the API server's Service, nothing declared", globex, at("10.96.0.1"), 443),
    no("the API server's Service within a range", web, at("10.96.0.1"), 443),
    yes("its neighbour", web, at("10.96.0.2"), 443),
    no("the API server's endpoint within a range", web, at("10.20.0.5"), 443),
    no("the API server's endpoint by a rule of its own", web, at("10.20.0.5"), 6443),
    no("the API server over IPv6", web_v6, at("fd00:10::1"), 443),
    no("the API server translated", web_v6, at("64:ff9b::a60:1"), 123, "UDP"),
    no("a public address of the API server", web, at("93.184.216.99"), 8443),
    # The internet.
    yes("the internet", web, at("93.184.216.34"), 8443),
    yes("the internet over IPv6", web_v6, at("2606:4700::1111"), 8443),
    no("the internet on another port", web, at("93.184.216.34"), 8444),
    *(
        no(f"{address} is not the internet", web, at(address), 8443)
        for address in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.169.254")
    ),
    *(
        no(f"{address} is not the internet", web_v6, at(address), 8443)
        for address in ("fc00::1", "fe80::1", "ff02::1", "64:ff9b::a00:1", "2002:a00:1::1", "::1")
    ),
    no("pods of other tenants are not the internet", web, initech, 8443),
    # Test and Debug runs.
    no("DNS for a test", web_test, dns, 53, "UDP"),
    no("DNS at the address that is known for a test", web_test, at("169.254.20.10"), 53, "UDP"),
    no("to the gateway for a test", web_test, gateway, 8080),
    no("a declared range and port for a test", web_test, at("203.0.113.7"), 443),
    no("the internet for a test", web_test, at("93.184.216.34"), 8443),
    no("to an own namespace that is declared, for a test", web_test, data, 5432),
    no("from a declared namespace to a debugged run", web, data_debug, 5432),
    no("in from a declared range to a test", at("198.51.100.7"), web_test, 8080),
    # What a tenant adds.
    yes("between own pods, as the tenant's own policy says", initech, initech_too, 8080),
    no("to another tenant, whatever the tenant's own policy says", initech, globex, 8080),
    no("from another tenant, whatever the tenant's own policy says", umbrella, initech, 8080),
    no("from a tenant's wide range into that policy", web, initech, 443),
    no("out to the internet, whatever the tenant's own policy says", initech, at("1.1.1.1"), 443),
)


@pytest.fixture(scope="module")
def found(cyclonus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    answers = verdicts(cyclonus, POLICIES, [case.connection for case in CASES], tmp_path_factory.mktemp("policies"))
    return {case.says: allowed for case, allowed in zip(CASES, answers, strict=True)}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.says) for case in CASES])
def test_connection(found: dict[str, bool], case: Case) -> None:
    assert found[case.says] is case.allowed


def test_the_table_says_each_thing_once() -> None:
    assert len({case.says for case in CASES}) == len(CASES)


def test_without_policies_everything_is_allowed(cyclonus: Path, tmp_path: Path) -> None:
    everything: list[Any] = []

    assert all(verdicts(cyclonus, everything, [case.connection for case in CASES], tmp_path))
