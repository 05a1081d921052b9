from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.addresses import METADATA_NETWORKS, host, network, reachable

v4_networks = st.builds(lambda base, prefix: f"{base}/{prefix}", st.ip_addresses(v=4), st.integers(0, 32))
near_metadata = st.builds(
    lambda refused, prefix: f"{refused.network_address}/{prefix}",
    st.sampled_from(METADATA_NETWORKS),
    st.integers(0, 32),
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
        opened, excluded = ipaddress.ip_network(block.cidr), [ipaddress.ip_network(item) for item in block.excluded]
        for refused in METADATA_NETWORKS:
            assert refused.network_address not in opened or refused in excluded
        # What the API server asks of ipBlock.except.
        assert all(item.prefixlen > opened.prefixlen and item.network_address in opened for item in excluded)


def test_bits_beyond_the_prefix_are_cleared() -> None:
    assert str(network("10.1.2.3/8")) == "10.0.0.0/8"
    assert str(network("203.0.113.7")) == "203.0.113.7/32"


def test_a_host_is_a_network_of_one() -> None:
    assert host("10.0.0.1") == "10.0.0.1/32"
    assert host("fd00::1") == "fd00::1/128"


def test_a_network_is_no_host() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/8"):
        host("10.0.0.0/8")
