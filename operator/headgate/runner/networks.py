"""Which addresses a request may go to: resolved once, every one of them checked, and connected to as checked."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from headgate.domain.addresses import Block, IpNetwork, internet
from headgate.runner.errors import NodeFailed

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a host."""


@dataclass(frozen=True)
class Networks:
    """What may be reached: everything that is in one of the blocks and not left out of it."""

    blocks: tuple[tuple[IpNetwork, tuple[IpNetwork, ...]], ...]

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> Networks:
        """From blocks as NetworkPolicies have them."""
        return cls(
            tuple(
                (ipaddress.ip_network(block.cidr), tuple(ipaddress.ip_network(cidr) for cidr in block.excluded))
                for block in blocks
            )
        )

    @classmethod
    def parse(cls, text: str) -> Networks:
        """From the JSON of a list of ``ipBlock``; public addresses only where it is empty."""
        if not text:
            return cls.of(internet())
        return cls.of(Block(item["cidr"], tuple(item.get("except", ()))) for item in json.loads(text))

    def allow(self, address: str) -> bool:
        """Whether the address may be reached. An IPv4 address written as IPv6 counts as what it is."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(
            parsed in network and not any(parsed in item for item in left_out) for network, left_out in self.blocks
        )


async def checked(host: str, port: int, networks: Networks, resolve: Resolve, *, what: str = "Http") -> list[str]:
    """The addresses of a host. Raises ``NodeFailed`` where there are none, or one of them may not be reached.

    Its reasons begin with ``what``.
    """
    try:
        addresses = await resolve(host, port)
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise NodeFailed(f"{what}Connection", f"{host} has no address: {said}") from None
    except UnicodeError:
        raise NodeFailed(f"{what}Connection", f"{host} is no name of a host") from None
    if not addresses:
        raise NodeFailed(f"{what}Connection", f"{host} has no address")
    refused = [address for address in addresses if not networks.allow(address)]
    if refused:
        raise NodeFailed(
            f"{what}Address",
            f"{host} has the address {refused[0]}, which may not be reached: it is private, link-local or the "
            "cluster's. A cidr in spec.network.egress of the Workspace can allow it",
        )
    return addresses


async def system_resolve(host: str, port: int) -> list[str]:
    """What the system's resolver says, each address once. An address is its own: no thread is asked for it."""
    with contextlib.suppress(ValueError):
        if "%" not in host:
            return [str(ipaddress.ip_address(host))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))
