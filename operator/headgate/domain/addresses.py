"""Which addresses tenants may be let through to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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

INTERNET: tuple[IpNetwork, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("2000::/3"))
"""Where public addresses are: anywhere in IPv4, and in the one block of IPv6 that is given out."""

NOT_PUBLIC: tuple[IpNetwork, ...] = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a provider
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # for protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4, of which there are none anymore
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks, and what stands in for names
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # for protocols; Teredo among them, which holds IPv4 addresses
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds IPv4 addresses, private ones included
        "3fff::/20",  # documentation
    )
)
"""What is not public of `INTERNET`, by the registries of special-purpose addresses of IANA.

Unique local (fc00::/7), link-local (fe80::/10), multicast (ff00::/8), loopback and whatever holds IPv4 addresses
(::ffff:0:0/96, 64:ff9b::/96) are not in 2000::/3, so they need not be named.
"""

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_TRANSLATED = ipaddress.IPv6Address("64:ff9b::")
_TRANSLATED_PREFIX = 96
_N = TypeVar("_N", ipaddress.IPv4Network, ipaddress.IPv6Network)


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


def reachable(cidr: str, closed: Iterable[str] = ()) -> Block | None:
    """What may be reached of a network: all of it but the metadata addresses and the closed ones.

    Closed are single addresses, such as those of the API server. An IPv4 address is left out in its translated form
    (NAT64, 64:ff9b::/96) too. None where nothing is left, and where the text is no network: what cannot be read opens
    nothing. Raises ValueError for a closed address that is none.
    """
    shut = _shut(closed)
    try:
        wanted = network(cidr)
    except ValueError:
        return None
    return _without(wanted, shut)


def internet(closed: Iterable[str] = ()) -> tuple[Block, ...]:
    """All public addresses but the metadata addresses and the closed ones; see `reachable`."""
    shut = (*NOT_PUBLIC, *_shut(closed))
    blocks = (_without(wanted, shut) for wanted in INTERNET)
    return tuple(block for block in blocks if block is not None)


def host(address: str) -> str:
    """The network of that one address; ValueError where it is no address."""
    return str(network(str(ipaddress.ip_address(address))))


def _shut(closed: Iterable[str]) -> tuple[IpNetwork, ...]:
    """The networks that no tenant reaches, in every form that leads to them."""
    plain = (*METADATA_NETWORKS, *(network(host(address)) for address in closed))
    translated = (_translated(item) for item in plain if isinstance(item, ipaddress.IPv4Network))
    return (*plain, *translated)


def _translated(item: ipaddress.IPv4Network) -> IpNetwork:
    first = ipaddress.IPv6Address(int(_TRANSLATED) + int(item.network_address))
    return ipaddress.IPv6Network((first, _TRANSLATED_PREFIX + item.prefixlen))


def _without(wanted: IpNetwork, shut: Iterable[IpNetwork]) -> Block | None:
    if isinstance(wanted, ipaddress.IPv4Network):
        return _left_of(wanted, [item for item in shut if isinstance(item, ipaddress.IPv4Network)])
    return _left_of(wanted, [item for item in shut if isinstance(item, ipaddress.IPv6Network)])


def _left_of(wanted: _N, shut: Iterable[_N]) -> Block | None:
    # Collapsed first, because two halves that are shut are a whole that is, and no `except` may be the whole.
    excluded = list(ipaddress.collapse_addresses(item for item in shut if item.overlaps(wanted)))
    if any(wanted.subnet_of(item) for item in excluded):
        return None
    return Block(str(wanted), tuple(str(item) for item in excluded))
