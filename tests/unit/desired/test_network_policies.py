from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.desired.context import ClusterFacts
from headgate.domain.addresses import METADATA_NETWORKS
from tests.unit.desired.builders import a_workspace, children_of

NO_TEST = {"matchExpressions": [{"key": "headgate.dev/mode", "operator": "DoesNotExist"}]}


def spec_of(policy: str, facts: ClusterFacts | None = None, **network: Any) -> dict[str, Any]:
    found = children_of(a_workspace(network=network), facts=facts or ClusterFacts("headgate-system"))
    spec: dict[str, Any] = found[f"NetworkPolicy acme/{policy}"]["spec"]
    return spec


def test_by_default_nothing_goes_in_or_out() -> None:
    assert spec_of("headgate-default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_nothing_is_opened_for_test_and_debug_runs() -> None:
    tenant = a_workspace(network={"egress": [{"internet": True}], "ingress": [{"cidr": "198.51.100.0/24"}]})
    found = children_of(tenant, facts=ClusterFacts("headgate-system", gateway_namespace="headgate-edge"))
    policies = {name: item["spec"] for name, item in found.items() if name.startswith("NetworkPolicy ")}

    assert len(policies) == 4
    opening = {name for name, spec in policies.items() if spec["podSelector"] == NO_TEST}
    assert set(policies) - opening == {"NetworkPolicy acme/headgate-default-deny"}


def test_the_clusters_dns_pods_can_be_asked() -> None:
    assert spec_of("headgate-allow-dns") == {
        "podSelector": NO_TEST,
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

    [rule] = spec_of("headgate-allow-gateway", with_gateway)["egress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8000}]
    assert rule["to"] == [
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
        "podSelector": NO_TEST,
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


def test_the_api_servers_addresses_are_left_out_of_every_range() -> None:
    facts = ClusterFacts("headgate-system", api_addresses=("10.96.0.1", "192.0.2.7", "fd00::1"))

    egress = spec_of("headgate-declared", facts, egress=[{"cidr": "10.0.0.0/8"}, {"cidr": "fd00::/64"}])["egress"]

    assert egress[0]["to"] == [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.96.0.1/32"]}}]
    assert egress[1]["to"] == [{"ipBlock": {"cidr": "fd00::/64", "except": ["fd00::1/128"]}}]


def test_a_rule_for_the_api_server_alone_opens_nothing() -> None:
    facts = ClusterFacts("headgate-system", api_addresses=("10.96.0.1",))
    rules = [{"cidr": "10.96.0.1/32", "ports": [{"port": 443}]}, {"cidr": "203.0.113.0/24"}]

    assert spec_of("headgate-declared", facts, egress=rules)["egress"] == [
        {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}
    ]


def test_the_internet_is_both_families_without_private_addresses_and_the_api_server() -> None:
    facts = ClusterFacts("headgate-system", api_addresses=("34.1.2.3", "2600::1"))
    rule = {"internet": True, "ports": [{"port": 443}]}

    opened = spec_of("headgate-declared", facts, egress=[rule])["egress"]

    assert [rule["ports"] for rule in opened] == [[{"protocol": "TCP", "port": 443}]]
    v4, v6 = (peer["ipBlock"] for peer in opened[0]["to"])
    assert (v4["cidr"], v6["cidr"]) == ("0.0.0.0/0", "2000::/3")
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "34.1.2.3/32"} <= set(v4["except"])
    assert "2600::1/128" in v6["except"]


def test_a_namespace_is_one_of_the_same_workspace() -> None:
    egress = [{"namespace": "acme"}]
    ingress = [{"namespace": "acme", "ports": [{"port": 80}]}]
    peer = {
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": "acme", "headgate.dev/workspace": "acme"},
        }
    }

    spec = spec_of("headgate-declared", egress=egress, ingress=ingress)

    assert spec["egress"] == [{"to": [peer]}]
    assert spec["ingress"] == [{"from": [peer], "ports": [{"protocol": "TCP", "port": 80}]}]


def test_sources_are_not_curtailed() -> None:
    ingress = spec_of("headgate-declared", ingress=[{"cidr": "0.0.0.0/0"}])["ingress"]

    assert ingress == [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]


def test_a_rule_for_the_metadata_address_alone_opens_nothing() -> None:
    found = children_of(a_workspace(network={"egress": [{"cidr": "169.254.169.254/32"}]}))

    assert "NetworkPolicy acme/headgate-declared" not in found


def test_a_rule_that_cannot_be_read_opens_nothing() -> None:
    found = children_of(a_workspace(network={"egress": [{"cidr": "everything"}], "ingress": [{"cidr": "0.0.0.0/99"}]}))

    assert "NetworkPolicy acme/headgate-declared" not in found


def test_a_rule_that_says_nothing_opens_nothing() -> None:
    found = children_of(a_workspace(network={"egress": [{}, {"internet": False}], "ingress": [{}]}))

    assert "NetworkPolicy acme/headgate-declared" not in found


_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_addresses = st.ip_addresses().filter(lambda ip: ip.version == 4 or ip not in _MAPPED).map(str)
_api_addresses = st.lists(_addresses, max_size=3)
_places = [str(network.network_address) for network in METADATA_NETWORKS]


@st.composite
def _cidrs(draw: st.DrawFn, near: list[str]) -> str:
    address = ipaddress.ip_address(draw(st.sampled_from([*_places, *near]) | _addresses))
    return f"{address}/{draw(st.integers(0, address.max_prefixlen))}"


def _declared(cidrs: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    ports = st.fixed_dictionaries({"port": st.integers(1, 65535)})
    peers = st.one_of(
        st.builds(lambda cidr: {"cidr": cidr}, cidrs), st.just({"internet": True}), st.just({"namespace": "acme"})
    )
    return st.lists(
        st.builds(lambda peer, some: peer | {"ports": some}, peers, st.lists(ports, max_size=2)), max_size=4
    )


def _blocks(policies: Iterator[dict[str, Any]]) -> Iterator[tuple[Any, list[Any]]]:
    for policy in policies:
        for rule in policy["spec"].get("egress", ()):
            assert rule["to"], "a rule without peers means everyone"
            for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
                yield (
                    ipaddress.ip_network(block["cidr"]),
                    [ipaddress.ip_network(item) for item in block.get("except", ())],
                )


@given(st.data(), _api_addresses)
def test_whatever_is_declared_no_metadata_address_and_no_api_server_is_reached(
    data: st.DataObject, api_addresses: list[str]
) -> None:
    workspace = a_workspace(network={"egress": data.draw(_declared(_cidrs(api_addresses)))})
    facts = ClusterFacts("headgate-system", api_addresses=tuple(api_addresses))

    found = children_of(workspace, facts=facts)

    closed = [edge for network in METADATA_NETWORKS for edge in (network[0], network[-1])]
    closed += [ipaddress.ip_address(address) for address in api_addresses]
    policies = (item for key, item in found.items() if key.startswith("NetworkPolicy "))
    for opened, excluded in _blocks(policies):
        for address in closed:
            assert address not in opened or any(address in item for item in excluded)


@given(st.data(), _api_addresses)
def test_whatever_is_declared_the_api_server_takes_it(data: st.DataObject, api_addresses: list[str]) -> None:
    workspace = a_workspace(network={"egress": data.draw(_declared(_cidrs(api_addresses)))})
    facts = ClusterFacts("headgate-system", api_addresses=tuple(api_addresses))

    found = children_of(workspace, facts=facts)

    policies = (item for key, item in found.items() if key.startswith("NetworkPolicy "))
    for opened, excluded in _blocks(policies):
        assert opened.version == 4 or not opened.subnet_of(_MAPPED)
        for item in excluded:
            assert (item.version, item.network_address in opened) == (opened.version, True)
            assert item.prefixlen > opened.prefixlen
            assert item.version == 4 or not item.subnet_of(_MAPPED)
