from __future__ import annotations

from typing import Any

from headgate.desired.context import ClusterFacts
from tests.unit.desired.builders import a_workspace, children_of


def spec_of(policy: str, facts: ClusterFacts | None = None, **network: Any) -> dict[str, Any]:
    found = children_of(a_workspace(network=network), facts=facts or ClusterFacts("headgate-system"))
    spec: dict[str, Any] = found[f"NetworkPolicy acme/{policy}"]["spec"]
    return spec


def test_by_default_nothing_goes_in_or_out() -> None:
    assert spec_of("headgate-default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_clusters_dns_pods_can_be_asked() -> None:
    assert spec_of("headgate-allow-dns") == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                    }
                ],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            }
        ],
    }


def test_dns_elsewhere_can_be_asked_by_address() -> None:
    facts = ClusterFacts("headgate-system", dns_addresses=("169.254.20.10", "fd00::10"))

    peers = spec_of("headgate-allow-dns", facts)["egress"][0]["to"]

    assert peers[1:] == [{"ipBlock": {"cidr": "169.254.20.10/32"}}, {"ipBlock": {"cidr": "fd00::10/128"}}]


def test_the_gateway_can_be_reached_where_there_is_one() -> None:
    with_gateway = ClusterFacts("headgate-system", gateway_namespace="edge")

    assert spec_of("headgate-allow-gateway", with_gateway)["egress"][0]["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
            "podSelector": {
                "matchLabels": {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/component": "gateway"}
            },
        }
    ]
    assert "NetworkPolicy acme/headgate-allow-gateway" not in children_of(a_workspace())


def test_declared_destinations_and_sources_are_opened() -> None:
    ports = [{"port": 443}, {"port": 8000, "endPort": 8010, "protocol": "UDP"}]

    spec = spec_of(
        "headgate-declared", egress=[{"cidr": "203.0.113.7/24", "ports": ports}], ingress=[{"cidr": "198.51.100.1"}]
    )

    assert spec == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"ipBlock": {"cidr": "198.51.100.1/32"}}]}],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}],
                "ports": [
                    {"protocol": "TCP", "port": 443},
                    {"protocol": "UDP", "port": 8000, "endPort": 8010},
                ],
            }
        ],
    }


def test_opening_one_way_does_not_speak_of_the_other() -> None:
    assert spec_of("headgate-declared", egress=[{"cidr": "203.0.113.0/24"}])["policyTypes"] == ["Egress"]
    assert spec_of("headgate-declared", ingress=[{"cidr": "203.0.113.0/24"}])["policyTypes"] == ["Ingress"]


def test_the_metadata_addresses_are_left_out_of_the_whole_internet() -> None:
    egress = spec_of("headgate-declared", egress=[{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}])["egress"]

    assert "169.254.0.0/16" in egress[0]["to"][0]["ipBlock"]["except"]
    assert "fd00:ec2::254/128" in egress[1]["to"][0]["ipBlock"]["except"]


def test_sources_are_not_curtailed() -> None:
    ingress = spec_of("headgate-declared", ingress=[{"cidr": "0.0.0.0/0"}])["ingress"]

    assert ingress == [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]


def test_a_rule_for_the_metadata_address_alone_opens_nothing() -> None:
    found = children_of(a_workspace(network={"egress": [{"cidr": "169.254.169.254/32"}]}))

    assert "NetworkPolicy acme/headgate-declared" not in found


def test_a_rule_that_cannot_be_read_opens_nothing() -> None:
    found = children_of(a_workspace(network={"egress": [{"cidr": "everything"}], "ingress": [{"cidr": "0.0.0.0/99"}]}))

    assert "NetworkPolicy acme/headgate-declared" not in found
