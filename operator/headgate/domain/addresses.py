"""Which addresses tenants may be let through to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

METADATA_NETWORKS: tuple[IpNetwork, ...] = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("fd20:ce::254/128"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("168.63.129.16/32"),
)
"""Where clouds hand out the credentials of the machine.

All link-local addresses, 169.254.169.254 among them, and what Amazon (fd00:ec2::254), Google (fd20:ce::254), Alibaba
(100.100.100.200) and Azure's agent (168.63.129.16) use besides.
"""

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True)
class Block:
    """Addresses, in the terms of a NetworkPolicy's ``ipBlock``."""

    cidr: str
    excluded: tuple[str, ...] = ()
    """Networks inside of it that are left out."""

    def to_wire(self) -> Mapping[str, object]:
        """The ``ipBlock``."""
        return {"cidr": self.cidr, "except": list(self.excluded)} if self.excluded else {"cidr": self.cidr}


def network(cidr: str) -> IpNetwork:
    """The network, with bits beyond the prefix cleared; ValueError where it is none that a NetworkPolicy may name."""
    parsed = ipaddress.ip_network(cidr, strict=False)
    if isinstance(parsed, ipaddress.IPv6Network) and parsed.subnet_of(_MAPPED):
        raise ValueError(f"{cidr} is an IPv4 network written as IPv6: write it as IPv4")
    return parsed


def reachable(cidr: str) -> Block | None:
    """What may be reached of a network: all of it but the metadata addresses.

    None where nothing is left, and where the text is no network: what cannot be read opens nothing.
    """
    try:
        wanted = network(cidr)
    except ValueError:
        return None
    if any(_within(wanted, refused) for refused in METADATA_NETWORKS):
        return None
    return Block(str(wanted), tuple(str(refused) for refused in METADATA_NETWORKS if _within(refused, wanted)))


def host(address: str) -> str:
    """The network of that one address; ValueError where it is no address."""
    return str(network(str(ipaddress.ip_address(address))))


def _within(inner: IpNetwork, outer: IpNetwork) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)
