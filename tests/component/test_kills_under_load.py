"""Gateways, Redis, Postgres and runners killed while runs are started: what was accepted is there once, and ends."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import aiohttp
import psycopg
import pytest

from hack.postgres import DATABASE, MIGRATOR, RUNTIME, Server
from headgate.api.members import Role
from headgate.api.quota import Limits
from headgate.engine.api_keys import NewKey
from headgate.engine.engine import Engine
from headgate.engine.types import WorkspaceRecord
from headgate.store import migrate
from headgate.store.database import Database
from tests.builders import a_workflow
from tests.component.world import Evaluations
from tests.support.databases import TestDatabase, own_server
from tests.support.redis_server import RedisServer, own_redis
from tests.support.waiting import eventually
from tests.support.warm_processes import GatewayProcess, RunnerProcess, believing_api_server

CALLERS = 8
BETWEEN_KILLS = 12
"""Accepted runs from one kill to the next."""
GIVEN_UP = 10
"""Of so many requests one is never repeated, whatever becomes of it."""
PLENTY = Limits(max_executions_per_day=1_000_000, max_concurrent_runs=10_000, max_api_calls_per_hour=1_000_000)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Mortal(Protocol):
    """What can be killed and started again."""

    def kill(self) -> None: ...
    def start(self) -> None: ...


@dataclass
class House:
    """Two gateways, each with a runner, one Redis and one Postgres; and who starts runs meanwhile."""

    http: aiohttp.ClientSession
    postgres: Server
    redis: RedisServer
    gateways: list[GatewayProcess]
    runners: list[RunnerProcess]
    key: str
    accepted: dict[str, UUID] = field(default_factory=dict)
    """Runs by the keys of the requests for them."""
    lost: Counter[str] = field(default_factory=Counter)
    """Requests without an answer of success, by what came instead."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def ask(self, key: str) -> UUID | None:
        """Ask one of the gateways for the run of that key. None where it is not known what became of it."""
        number = next(self._numbers)
        url = f"{self.gateways[number % len(self.gateways)].url}/api/v1/workspaces/acme/runs"
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key}
        try:
            async with self.http.post(url, json={"workflow": "call"}, headers=headers) as answer:
                if answer.status in (200, 201):
                    return UUID((await answer.json())["id"])
                self.lost[str(answer.status)] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.lost[type(error).__name__] += 1
        return None

    async def call(self, enough: asyncio.Event) -> None:
        """Start one run after the other until it is enough."""
        while not enough.is_set():
            number = next(self._numbers)
            key = f"key-{number}"
            run = await self.ask(key)
            if run is None and number % GIVEN_UP:
                run = await eventually(partial(self.ask, key), every=0.05, what=f"an answer to {key}")
            if run is not None:
                self.accepted[key] = run

    async def kill_in_turn(self, enough: asyncio.Event) -> None:
        """Kill one after the other, each when so many more runs were accepted, and start it again at once."""
        for gateway, runner in zip(self.gateways, self.runners, strict=True):
            mortals: tuple[Mortal, ...] = (gateway.process, self.redis, runner, Crashing(self.postgres))
            for each in mortals:
                await self._have_more()
                await asyncio.to_thread(each.kill)
                await asyncio.to_thread(each.start)
            await gateway.ready(self.http)
        await self._have_more()
        enough.set()

    async def _have_more(self) -> None:
        count = len(self.accepted) + BETWEEN_KILLS

        async def have() -> bool:
            return len(self.accepted) >= count

        await eventually(have, every=0.02, what=f"{count} accepted runs, beside {self.lost}")


@dataclass(frozen=True)
class Crashing:
    """Postgres, which crashes and recovers."""

    server: Server

    def kill(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server.up()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        postgres, redis = stack.enter_context(own_server()), stack.enter_context(own_redis())
        await asyncio.to_thread(migrate.upgrade, postgres.url(MIGRATOR), runtime_login=RUNTIME)
        target = await stack.enter_async_context(answering())
        key = await prepared(postgres, target)
        kubeconfig = await stack.enter_async_context(believing_api_server(tmp_path))
        settings = {"REDIS_URL": redis.url, "RUNNER_LEASE_SECONDS": "2"}
        gateways = [GatewayProcess.of(tmp_path, kubeconfig, postgres.url(RUNTIME), **settings) for _ in range(2)]
        runners = [RunnerProcess(tmp_path, gateway.url) for gateway in gateways]
        timeout = aiohttp.ClientTimeout(total=20)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        for gateway in gateways:
            stack.callback(gateway.process.kill)
            gateway.process.start()
        for gateway in gateways:
            await gateway.ready(http)
        for runner in runners:
            stack.callback(runner.kill)
            runner.start()
        yield House(http, postgres, redis, gateways, runners, key)


@asynccontextmanager
async def answering() -> AsyncIterator[str]:
    """What the nodes call."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Runners are killed while they ask.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def prepared(postgres: Server, target: str) -> str:
    """A workspace with a workflow of one call, and a key for it."""
    database = Database(postgres.url(RUNTIME), pool_size=2)
    engine = Engine(database, Evaluations(), clock=lambda: datetime.now(UTC))
    await engine.ensure_partitions(datetime.now(UTC))
    acme = await engine.workspaces.sync(WorkspaceRecord("acme", PLENTY, suspended=False))
    spec = a_workflow("call").with_node("work", {"http": {"url": target}}).model().spec
    await engine.workflows.record(acme, "acme", "call", spec)
    issued = await engine.api_keys.issue(acme, NewKey("ci", Role.OWNER, "alice"))
    await database.close()
    return issued.text


async def test_no_accepted_run_is_lost_or_made_twice_whatever_is_killed(house: House) -> None:
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CALLERS):
            tasks.create_task(house.call(enough))
        tasks.create_task(house.kill_in_turn(enough))

    database = TestDatabase(house.postgres, DATABASE)
    rows = await eventually(lambda: _ended(database), what="the end of all runs")
    runs = {UUID(str(row["id"])): row for row in rows}
    assert len({row["trigger_key"] for row in rows}) == len(rows)
    assert {key: run for key, run in house.accepted.items() if runs[run]["trigger_key"] != f"api:{key}"} == {}
    assert Counter(row["status"] for row in rows) == {"Succeeded": len(rows)}
    # It was not all quiet, and of what was not answered nothing but this was seen.
    assert house.lost["503"] > 0
    assert sum(count for what, count in house.lost.items() if what.isdecimal() and what != "503") == 0
    again = await asyncio.gather(*(house.ask(key) for key in list(house.accepted)[::7]))
    assert again == list(house.accepted.values())[::7]


async def _ended(database: TestDatabase) -> list[dict[str, Any]] | None:
    """All runs, once there is none that has not ended."""
    async with await psycopg.AsyncConnection.connect(
        database.superuser_url, row_factory=psycopg.rows.dict_row
    ) as connection:
        text = b"SELECT id, trigger_key, status FROM headgate.workflow_executions"
        rows = await (await connection.execute(text)).fetchall()
    return rows if all(row["status"] in ("Succeeded", "Failed", "Cancelled") for row in rows) else None
