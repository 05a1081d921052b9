from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.addresses import METADATA_NETWORKS, Block, host, internet, network, reachable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

v4_networks = st.builds(lambda base, prefix: f"{base}/{prefix}", st.ip_addresses(v=4), st.integers(0, 32))
near_metadata = st.builds(
    lambda refused, prefix: f"{refused.network_address}/{prefix}",
    st.sampled_from(METADATA_NETWORKS),
    st.integers(0, 32),
)
# The mapped form of IPv4 is no address that a NetworkPolicy may name.
addresses = st.ip_addresses().filter(lambda ip: ip.version == 4 or ip.ipv4_mapped is None).map(str)
some_addresses = st.lists(addresses, max_size=4)


@st.composite
def networks_around(draw: st.DrawFn, inside: list[str]) -> str:
    """A network of any size, often one that holds one of these addresses."""
    address = ipaddress.ip_address(draw(st.one_of(addresses, *map(st.just, inside))))
    return f"{address}/{draw(st.integers(0, address.max_prefixlen))}"


def holds(block: Block, address: str | IpAddress) -> bool:
    """Whether a NetworkPolicy with this block means the address."""
    ip = ipaddress.ip_address(address)
    inside, outside = ipaddress.ip_network(block.cidr), map(ipaddress.ip_network, block.excluded)
    return ip in inside and not any(ip in excluded for excluded in outside)


def is_valid(block: Block) -> bool:
    """What the API server asks of an ipBlock."""
    opened, excluded = ipaddress.ip_network(block.cidr), [ipaddress.ip_network(item) for item in block.excluded]
    return all(
        item.version == opened.version and item.prefixlen > opened.prefixlen and item.network_address in opened
        for item in excluded
    )


@pytest.mark.parametrize(
    ("cidr", "excluded"),
    [
        ("203.0.113.0/24", ()),
        ("10.0.0.0/8", ()),
        ("169.0.0.0/8", ("169.254.0.0/16",)),
        ("169.254.0.0/15", ("169.254.0.0/16",)),
        ("100.64.0.0/10", ("100.100.100.200/32",)),
        ("fd00::/8", ("fd00:ec2::254/128", "fd20:ce::254/128")),
        ("fd00:ec2::/32", ("fd00:ec2::254/128",)),
        ("2001:db8::/32", ()),
    ],
)
def test_metadata_addresses_are_left_out(cidr: str, excluded: tuple[str, ...]) -> None:
    block = reachable(cidr)

    assert block is not None
    assert block.excluded == excluded


@pytest.mark.parametrize(
    "cidr",
    [
        "169.254.169.254",
        "169.254.169.254/32",
        "169.254.0.0/16",
        "169.254.128.0/17",
        "fd00:ec2::254/128",
        "fe80::/64",
        "100.100.100.200",
        "::ffff:169.254.169.254/128",
        "not a network",
        "10.0.0.0/33",
        "",
    ],
)
def test_nothing_is_left_of(cidr: str) -> None:
    assert reachable(cidr) is None


@given(v4_networks | near_metadata)
def test_no_metadata_address_is_ever_reachable(cidr: str) -> None:
    block = reachable(cidr)

    if block is not None:
        assert not any(holds(block, edge) for refused in METADATA_NETWORKS for edge in (refused[0], refused[-1]))
        assert is_valid(block)


@given(st.data(), some_addresses)
def test_closed_addresses_are_never_reachable_and_all_others_are(data: st.DataObject, closed: list[str]) -> None:
    cidr = data.draw(networks_around(closed))
    other = data.draw(st.sampled_from([str(ipaddress.ip_network(cidr, strict=False)[0]), *closed]) | addresses)

    block = reachable(cidr, closed)

    if block is not None:
        assert is_valid(block)
        assert not any(holds(block, address) for address in closed)
    within = ipaddress.ip_address(other) in ipaddress.ip_network(cidr, strict=False)
    shut = other in closed or any(ipaddress.ip_address(other) in refused for refused in METADATA_NETWORKS)
    if within and not shut and ":" not in other:
        assert block is not None
        assert holds(block, other)


def test_closed_addresses_are_left_out() -> None:
    assert reachable("10.0.0.0/8", ["10.96.0.1", "fd00::1", "10.180.0.2"]) == Block(
        "10.0.0.0/8", ("10.96.0.1/32", "10.180.0.2/32")
    )


def test_nothing_is_left_of_a_closed_address() -> None:
    assert reachable("10.96.0.1/32", ["10.96.0.1"]) is None


def test_nothing_is_left_of_a_network_whose_every_address_is_closed() -> None:
    assert reachable("10.96.0.0/31", ["10.96.0.0", "10.96.0.1"]) is None


def test_a_closed_address_counts_once() -> None:
    assert reachable("169.0.0.0/8", ["169.254.1.1", "169.254.1.1"]) == Block("169.0.0.0/8", ("169.254.0.0/16",))


def test_the_translated_form_of_a_closed_address_is_closed_too() -> None:
    block = reachable("64:ff9b::/96", ["10.96.0.1"])

    assert block is not None
    assert not holds(block, "64:ff9b::10.96.0.1")
    assert not holds(block, "64:ff9b::169.254.169.254")
    assert holds(block, "64:ff9b::8.8.8.8")


def test_a_closed_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="kubernetes"):
        reachable("10.0.0.0/8", ["kubernetes"])


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "172.32.0.1", "192.169.0.1", "223.255.255.255"),
        *("2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888"),
    ],
)
def test_public_addresses_are_the_internet(address: str) -> None:
    assert any(holds(block, address) for block in internet())


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"),
        *("100.100.100.200", "169.254.169.254", "168.63.129.16", "127.0.0.1", "0.0.0.0", "255.255.255.255"),
        *("224.0.0.1", "240.0.0.1", "::", "::1", "fc00::1", "fdff::1", "fd00:ec2::254", "fe80::1", "ff02::1"),
        *("64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "::ffff:10.0.0.1", "2002:a00:1::", "2001:0:a00::1"),
    ],
)
def test_private_addresses_are_not_the_internet(address: str) -> None:
    assert not any(holds(block, address) for block in internet())


@given(addresses)
def test_the_internet_is_global_by_the_registries_that_python_knows(address: str) -> None:
    ip = ipaddress.ip_address(address)

    if any(holds(block, ip) for block in internet()):
        assert ip.is_global
        assert not ip.is_multicast


@given(some_addresses)
def test_closed_addresses_are_not_the_internet(closed: list[str]) -> None:
    for block in internet(closed):
        assert is_valid(block)
        assert not any(holds(block, address) for address in closed)


def test_bits_beyond_the_prefix_are_cleared() -> None:
    assert str(network("10.1.2.3/8")) == "10.0.0.0/8"
    assert str(network("203.0.113.7")) == "203.0.113.7/32"


def test_a_host_is_a_network_of_one() -> None:
    assert host("10.0.0.1") == "10.0.0.1/32"
    assert host("fd00::1") == "fd00::1/128"


def test_a_network_is_no_host() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/8"):
        host("10.0.0.0/8")
