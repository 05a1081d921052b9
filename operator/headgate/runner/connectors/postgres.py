"""Postgres: statements, and connections to hosts that were checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.api.connectors import Postgres
from headgate.api.hidden_value import HiddenValue
from headgate.runner import sql
from headgate.runner.connectors.hidden import value_of
from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets

_PORT = "5432"


async def execute(node: Postgres, secrets: Secrets, reach: Reach, timeout_seconds: float) -> Any:
    """The output of the node, ``{rowCount, rows}``. Raises ``NodeFailed``."""
    return await sql.run(node, await pinned(node.connection, secrets, reach), timeout_seconds)


async def pinned(connection: HiddenValue, secrets: Secrets, reach: Reach) -> Mapping[str, Any]:
    """The settings of the connection, with the addresses that its hosts have and that were checked.

    Raises ``NodeFailed``. The driver asks no resolver again.
    """
    settings = sql.settings_of(value_of(connection, secrets))
    hosts = str(settings.get("host") or "").split(",")
    given = str(settings.get("hostaddr") or "").split(",")
    ports = str(settings.get("port") or _PORT).split(",")
    if len(given) not in (1, len(hosts)) or len(ports) not in (1, len(hosts)):
        raise NodeFailed("SqlConnection", "the connection string names not as many addresses or ports as hosts")
    found: list[tuple[str, str, str]] = []
    for index, host in enumerate(hosts):
        address, port = given[index % len(given)], ports[index % len(ports)]
        if not (host or address) or host.startswith(("/", "@")) or not port.isdigit():
            raise NodeFailed("SqlConnection", "the connection string has to name a host, and no socket")
        found += [(host or address, each, port) for each in await reach.addresses(address or host, int(port))]
    return {
        **settings,
        "host": ",".join(host for host, _, _ in found),
        "hostaddr": ",".join(address for _, address, _ in found),
        "port": ",".join(port for _, _, port in found),
    }
