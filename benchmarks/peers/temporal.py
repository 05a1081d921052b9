"""Temporal as its documentation sets it up: the server's four services in one process, on Postgres, and one worker."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg import sql

from benchmarks.peers.databases import LOGIN, Access, count, given_databases
from benchmarks.peers.measuring import Running
from benchmarks.peers.processes import Client, Processes, processor_seconds
from hack import pinned_python
from hack.cluster import build
from hack.postgres import Server
from hack.shell import run
from hack.tools import tool
from tests.support.waiting import eventually

STORE, VISIBILITY, NAMESPACE = "temporal", "temporal_visibility", "peers"
_FIRST_PORT, _LAST_PORT = 20_000, 32_768
SERVICES = ("frontend", "matching", "history", "worker")
# Created and running are 1 and 2, completed is 3. Some of its own, in another namespace, run for ever.
_OPEN = sql.SQL(
    "SELECT count(*) FROM current_executions c JOIN namespaces n ON n.id = c.namespace_id"
    " WHERE n.name = {} AND c.state <> 3"
).format(NAMESPACE)


def installed() -> Path:
    """The Python that has its library; the server is compiled too. Raises where one cannot be had."""
    tool("temporal-server")
    tool("temporal-sql-tool")
    return pinned_python.interpreter("temporal")


def title() -> str:
    """With the versions."""
    library = run(installed(), "-c", "import temporalio.service as s; print(s.__version__)")
    return f"Temporal {build.TEMPORAL.version()}, SDK {library.strip()}"


@asynccontextmanager
async def running(server: Server, folder: Path) -> AsyncIterator[Running]:
    """Temporal on that Postgres."""
    access = given_databases(server, STORE, VISIBILITY)
    for database in (STORE, VISIBILITY):
        await asyncio.to_thread(_schema, access, database, folder / "schema.log")
    ports = _ports()
    port = next(ports)
    (folder / "config").mkdir()
    # What is JSON is YAML.
    (folder / "config" / "peers.yaml").write_text(json.dumps(_config(access, port, ports)))
    processes, address = Processes(folder), f"127.0.0.1:{port}"
    command: list[str | Path] = [
        tool("temporal-server"),
        "--config",
        "config",
        "--env",
        "peers",
        "--allow-no-auth",
        "start",
    ]
    programs: list[str | Path] = [installed(), "-m"]
    asking = [*programs, "benchmarks.peers.programs.temporal_client", address, NAMESPACE]
    working = [*programs, "benchmarks.peers.programs.temporal_worker", address, NAMESPACE]

    async def open_runs() -> int:
        return await count(access, STORE, _OPEN)

    def used() -> Mapping[str, float]:
        parts = {part: processor_seconds(roots) for part, roots in processes.roots.items()}
        return {**parts, "postgres": processor_seconds([server.pid() or 0])}

    async with processes.started("server", command):
        await eventually(lambda: _listens(port), within=120, what="Temporal's server")
        # The client first: it registers the namespace.
        async with processes.started("client", asking) as asked, processes.started("worker", working):
            client = Client(asked)
            await client.ready()
            yield Running(client, open_runs, used)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _ports() -> Iterator[int]:
    """Ports that are free, of those that Temporal can keep: its tables have two bytes for one, with a sign."""
    for port in range(_FIRST_PORT, _LAST_PORT):
        try:
            with socket.socket() as found:
                found.bind(("127.0.0.1", port))
        except OSError:
            continue
        yield port


def _schema(access: Access, database: str, log: Path) -> None:
    options = {
        "SQL_PLUGIN": "postgres12",
        "SQL_HOST": access.host,
        "SQL_PORT": str(access.port),
        "SQL_USER": LOGIN,
        "SQL_PASSWORD": access.password,
        "SQL_DATABASE": database,
    }
    name = "visibility" if database == VISIBILITY else "temporal"
    with log.open("ab") as said:
        for arguments in (("setup-schema", "-v", "0.0"), ("update-schema", "--schema-name", f"postgresql/v12/{name}")):
            command: list[str | Path] = [tool("temporal-sql-tool"), *arguments]
            subprocess.run(command, env=os.environ | options, check=True, stdout=said, stderr=said)


def _config(access: Access, port: int, ports: Iterator[int]) -> dict[str, object]:
    """What its own example for development on Postgres has, with our addresses."""

    def store(database: str, connections: int) -> dict[str, object]:
        members = {
            "pluginName": "postgres12",
            "databaseName": database,
            "connectAddr": f"{access.host}:{access.port}",
            "connectProtocol": "tcp",
            "user": LOGIN,
            "password": access.password,
            "maxConns": connections,
            "maxIdleConns": connections,
            "maxConnLifetime": "1h",
        }
        return {"sql": members}

    def rpc(service: str) -> dict[str, object]:
        number = port if service == "frontend" else next(ports)
        return {"rpc": {"grpcPort": number, "membershipPort": next(ports), "bindOnLocalHost": True}}

    frontend = {"rpcName": "frontend", "rpcAddress": f"127.0.0.1:{port}"}
    return {
        "log": {"stdout": True, "level": "warn"},
        "persistence": {
            "defaultStore": STORE,
            "visibilityStore": VISIBILITY,
            "numHistoryShards": 4,
            "datastores": {STORE: store(STORE, 20), VISIBILITY: store(VISIBILITY, 2)},
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": "127.0.0.1"}},
        "services": {service: rpc(service) for service in SERVICES},
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {"active": {"enabled": True, "initialFailoverVersion": 1, **frontend}},
        },
        "dcRedirectionPolicy": {"policy": "noop"},
    }
