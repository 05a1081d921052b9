"""Which addresses http nodes may reach."""

from __future__ import annotations

import pytest

from headgate.domain.addresses import Block
from headgate.runner.errors import NodeFailed
from headgate.runner.networks import Networks, checked, system_resolve

PUBLIC = Networks.parse("")


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert PUBLIC.allow(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
        "127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "168.63.129.16",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::", "2001::1",
        "not an address", "",
    ],
)  # fmt: skip
def test_private_local_and_special_addresses_are_refused(address: str) -> None:
    assert not PUBLIC.allow(address)


def test_what_a_workspace_opens_is_allowed_but_for_what_is_left_out_of_it() -> None:
    networks = Networks.parse('[{"cidr": "10.0.0.0/8", "except": ["10.96.0.1/32"]}]')

    assert networks.allow("10.1.2.3")
    assert networks.allow("::ffff:10.1.2.3")
    assert not networks.allow("10.96.0.1")
    assert not networks.allow("8.8.8.8")


async def test_one_refused_address_refuses_the_host() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(NodeFailed, match=r"10\.0\.0\.1, which may not be reached") as failure:
        await checked("rebound.example", 443, PUBLIC, resolve)

    assert failure.value.reason == "HttpAddress"
    assert await checked("x", 1, Networks.of([Block("0.0.0.0/0")]), resolve) == ["8.8.8.8", "10.0.0.1"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
async def test_other_ways_to_write_an_address_lead_to_the_same_refusal(host: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await checked(host, 80, PUBLIC, system_resolve)
    assert failure.value.reason == "HttpAddress"


@pytest.mark.parametrize(
    ("host", "address"), [("192.0.2.1", "192.0.2.1"), ("2001:DB8::0:1", "2001:db8::1"), ("::1", "::1")]
)
async def test_an_address_is_its_own(host: str, address: str) -> None:
    assert await system_resolve(host, 80) == [address]
