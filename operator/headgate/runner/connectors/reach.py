"""Connections to where a connector may reach, and to nothing else."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from headgate.runner.errors import NodeFailed
from headgate.runner.networks import Networks, Resolve, checked, system_resolve

CONNECT_SECONDS = 10.0
ADDRESS = "ConnectorAddress"
CONNECTION = "ConnectorConnection"


@dataclass(frozen=True)
class Reach:
    """What may be reached, and who says which addresses a name has."""

    networks: Networks
    resolve: Resolve = system_resolve

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, every one of them checked. Raises ``NodeFailed``."""
        return await checked(host, port, self.networks, self.resolve, what="Connector")

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connection to an address of the host that was checked. Raises ``NodeFailed``."""
        said = "no address"
        for address in await self.addresses(host, port):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await _connected(address, port)
            except TimeoutError:
                said = f"no answer within {CONNECT_SECONDS:.0f} seconds"
            except OSError as error:
                said = error.strerror or type(error).__name__
        raise NodeFailed(CONNECTION, f"could not connect to {host}: {said}")


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(0)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made
