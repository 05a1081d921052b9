"""How many connections Postgres has where callers come through gateways, beside one connection for each caller.

    python -m benchmarks.connections [--callers 100] [--gateways 2] [--calls 20]

Goal: at least 60 % fewer (issue "The gateway and warm runners"). Each caller starts a run, or lists runs, again and
again; Postgres is asked all the while how many connections its clients have. Then as many callers hold one connection
each, and ask for the same rows over it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psycopg

from benchmarks.engine import UNLIMITED, NoExpressions, a_chain, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.api.members import Role
from headgate.engine.api_keys import NewKey
from headgate.engine.engine import Engine
from headgate.engine.types import RunFilter, WorkspaceRecord
from headgate.store import migrate
from headgate.store.database import Database
from tests.support.warm_processes import GatewayProcess, believing_api_server

COUNT = b"SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND backend_type = 'client backend'"
LOOK_SECONDS = 0.02


async def most_connections(server: Server, calling: Callable[[], Awaitable[None]]) -> int:
    """How many the runtime's login had at most, while that went on."""
    most = 0

    async def looking() -> None:
        nonlocal most
        async with await psycopg.AsyncConnection.connect(server.url(SUPERUSER, local=True), autocommit=True) as looker:
            while True:
                row = await (await looker.execute(COUNT, [RUNTIME])).fetchone()
                most = max(most, row[0] if row else 0)
                await asyncio.sleep(LOOK_SECONDS)

    look = asyncio.create_task(looking())
    await calling()
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
    return most


async def through_gateways(server: Server, key: str, callers: int, gateways: int, calls: int) -> int:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kubeconfig = await stack.enter_async_context(believing_api_server(folder))
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        replicas = [GatewayProcess.of(folder, kubeconfig, server.url(RUNTIME)) for _ in range(gateways)]
        for replica in replicas:
            stack.callback(replica.process.kill)
            replica.process.start()
        for replica in replicas:
            await replica.ready(http)

        async def caller(number: int) -> None:
            url = f"{replicas[number % gateways].url}/api/v1/workspaces/acme/runs"
            for call in range(calls):
                body = {"workflow": "nightly"} if call % 4 == 0 else None
                headers = {"Authorization": f"Bearer {key}"}
                async with http.request("POST" if body else "GET", url, json=body, headers=headers) as answer:
                    assert answer.status in (200, 201), await answer.text()

        async def calling() -> None:
            await asyncio.gather(*(caller(number) for number in range(callers)))

        return await most_connections(server, calling)


async def one_each(server: Server, callers: int, calls: int) -> int:
    together = asyncio.Barrier(callers)

    async def caller() -> None:
        database = Database(server.url(RUNTIME), pool_size=1)
        engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
        workspace = await engine.workspaces.id_of("acme")
        assert workspace is not None
        await together.wait()
        for _ in range(calls):
            await engine.list_runs(workspace, RunFilter())
        await together.wait()
        await database.close()

    async def calling() -> None:
        await asyncio.gather(*(caller() for _ in range(callers)))

    return await most_connections(server, calling)


async def measure(server: Server, callers: int, gateways: int, calls: int) -> list[Figure]:
    database = Database(server.url(RUNTIME), pool_size=2)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    await engine.ensure_partitions(datetime.now(UTC))
    workspace = await engine.workspaces.sync(WorkspaceRecord("acme", UNLIMITED, suspended=False))
    await engine.workflows.record(workspace, "acme", "nightly", a_chain(1))
    key = (await engine.api_keys.issue(workspace, NewKey("bench", Role.OWNER, "bench"))).text
    await database.close()
    pooled = await through_gateways(server, key, callers, gateways, calls)
    each = await one_each(server, callers, calls)
    print(
        f"connections at most: {pooled} for {callers} callers of {gateways} gateways, {each} with one for each caller"
    )
    return [Figure("fewer connections than one for each caller", 100 * (1 - pooled / each), "%", 60, "higher")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.connections")
    parser.add_argument("--callers", type=int, default=100)
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--calls", type=int, default=20, help="calls of each caller")
    given = parser.parse_args()
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        command = (
            f"python -m benchmarks.connections --callers {given.callers} --gateways {given.gateways}"
            f" --calls {given.calls}"
        )
        show(asyncio.run(measure(server, given.callers, given.gateways, given.calls)), command)


if __name__ == "__main__":
    main()
