"""Postgres and the object store while they are away: callers are refused at once, and nothing has to be restarted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import aiohttp
import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hack.postgres import DATABASE, MIGRATOR, RUNTIME, Server
from headgate.api.members import Role
from headgate.dependencies import DependencyGuard
from headgate.domain.dependency_breaker import DependencyName, Patience
from headgate.domain.step_log import log_path
from headgate.engine.api_keys import NewKey
from headgate.objects.object_store import ObjectStore
from headgate.store import migrate
from headgate.store.database import Database
from headgate.store.errors import DatabaseUnavailable
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.world import Clock, Evaluations, World, one_node
from tests.support.databases import TestDatabase, own_server
from tests.support.waiting import eventually
from tests.support.warm_processes import GatewayProcess, believing_api_server, own_port

COOL_DOWN = Patience().cool_down
CALLERS = 6
ACCEPTED = (HTTPStatus.OK, HTTPStatus.CREATED)


@dataclass
class House:
    """A replica of the gateway, with a Postgres of its own that can be killed, or stopped in all that it does."""

    server: Server
    guard: DependencyGuard
    ticking: Ticking
    database: Database
    api: Api
    accepted: dict[str, UUID] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return self.api.world

    async def start(self, key: str) -> httpx.Response:
        """Ask for the run of that key, and remember it where it is accepted."""
        headers = {"Idempotency-Key": key}
        answer = await self.api.call("POST", "/runs", {"workflow": "nightly"}, headers=headers)
        if answer.status_code in ACCEPTED:
            self.accepted[key] = UUID(answer.json()["id"])
        return answer

    async def runs(self) -> dict[UUID, str]:
        """Those that there are, by who asked for them."""
        rows = await self.world.rows("SELECT id, trigger_key FROM headgate.workflow_executions")
        return {UUID(str(row["id"])): row["trigger_key"] for row in rows}

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Meanwhile nothing is answered, and no connection refused either."""
        family = [psutil.Process(self.server.pid()), *psutil.Process(self.server.pid()).children()]
        for process in family:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in family:
                process.send_signal(signal.SIGCONT)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    with own_server() as server:
        await asyncio.to_thread(migrate.upgrade, server.url(MIGRATOR), runtime_login=RUNTIME)
        ticking = Ticking()
        guard = DependencyGuard(DependencyName.POSTGRES, monotonic=ticking)
        database = Database(
            server.url(RUNTIME),
            pool_size=5,
            statement_timeout=timedelta(seconds=3),
            answer=timedelta(seconds=5),
            guard=guard,
        )
        world = World(
            database, TestDatabase(server, DATABASE).superuser_url, Clock(), Evaluations(), url=server.url(RUNTIME)
        )
        try:
            await world.engine.ensure_partitions(world.clock.now)
            await world.given_workspace()
            await world.given(one_node())
            async with replica(world, world.engine, ApiServer(), Ticking()) as api:
                api.token = (await api.issue()).text
                yield House(server, guard, ticking, database, api)
        finally:
            await database.close()


def assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"


async def test_callers_are_refused_while_postgres_is_killed_and_no_accepted_run_is_lost(house: House) -> None:
    enough, refusals = asyncio.Event(), []

    async def call(caller: int) -> None:
        number = 0
        while not enough.is_set():
            answer = await house.start(f"{caller}-{number}")
            # A run whose answer was lost with Postgres is there, and is told of to who asks with its key again.
            if answer.status_code in ACCEPTED:
                number += 1
            else:
                refusals.append(answer)
            await asyncio.sleep(0.01)

    async def more(count: Callable[[], int]) -> None:
        before = count()

        async def grown() -> bool:
            return count() > before + CALLERS * 3

        await eventually(grown, within=60, every=0.02, what="more of them")

    async def go_away_and_come_back() -> None:
        await more(lambda: len(house.accepted))
        await asyncio.to_thread(house.server.kill)
        await more(lambda: house.guard.spared)
        await asyncio.to_thread(house.server.up)
        house.ticking.seconds += COOL_DOWN
        await more(lambda: len(house.accepted))
        enough.set()

    async with asyncio.TaskGroup() as tasks:
        for caller in range(CALLERS):
            tasks.create_task(call(caller))
        tasks.create_task(go_away_and_come_back())

    for answer in refusals:
        assert_refused(answer)
    runs = await house.runs()
    assert {key: runs.get(run) for key, run in house.accepted.items()} == {key: f"api:{key}" for key in house.accepted}
    assert len(set(runs.values())) == len(runs)


async def test_while_it_is_left_alone_nobody_is_kept_waiting_by_a_postgres_that_hangs(house: House) -> None:
    await asyncio.gather(*(house.world.engine.ping() for _ in range(5)))
    with house.hanging():
        # Those who are there when it stops are let go when they have waited long enough.
        pings = await asyncio.gather(*(house.world.engine.ping() for _ in range(5)), return_exceptions=True)
        assert {type(ping) for ping in pings} == {DatabaseUnavailable}
        assert not house.guard.there

        failures = house.guard.failures
        for number in range(20):
            assert_refused(await house.start(f"late-{number}"))
        assert house.guard.failures == failures

    house.ticking.seconds += COOL_DOWN
    assert (await house.start("afterwards")).status_code == HTTPStatus.CREATED
    assert house.guard.there


async def test_who_has_begun_a_transaction_is_let_go_by_a_postgres_that_hangs(house: House) -> None:
    async def stopped() -> None:
        async with asyncio.timeout(30), house.database.system() as tx:
            with house.hanging():
                await tx.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        await stopped()

    assert house.guard.there, "what becomes of a transaction says nothing of whether another one can begin"
    await asyncio.gather(*(house.world.engine.ping() for _ in range(5)))


async def test_connections_that_were_cut_leave_it_closed(house: House) -> None:
    await asyncio.gather(*(house.world.engine.ping() for _ in range(5)))
    with psycopg.connect(house.world.superuser_url) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [RUNTIME])

    await asyncio.gather(*(house.world.engine.ping() for _ in range(5)))

    assert (house.guard.failures, house.guard.spared) == (0, 0)


async def test_a_tenants_locks_and_slow_statements_leave_it_closed(house: House) -> None:
    impatient = Database(house.world.url, statement_timeout=timedelta(milliseconds=200), guard=house.guard)
    for _ in range(5):
        with pytest.raises(DatabaseUnavailable):
            async with impatient.system() as tx:
                await tx.execute("SELECT pg_sleep(60)")
    async with house.database.system(lock=7):
        for _ in range(5):
            with pytest.raises(DatabaseUnavailable):
                async with impatient.system(lock=7):
                    pass
    await impatient.close()

    assert (house.guard.failures, house.guard.there) == (0, True)


async def test_lists_go_on_and_logs_are_refused_while_the_folder_of_the_logs_refuses(
    world: World, tmp_path: Path
) -> None:
    ticking = Ticking()
    guard = DependencyGuard(DependencyName.OBJECT_STORE, monotonic=ticking)
    folder = tmp_path / "objects"
    objects = ObjectStore(f"file://{folder}", guard=guard)
    await world.given(one_node())
    run = await world.admit()
    path = log_path(ref := world.ref(run, "work", 1))
    await objects.put(path, b"hello")
    await world.engine.logs.record(ref, path, 5, truncated=False)
    async with replica(world, world.engine, ApiServer(), Ticking(), objects=objects) as api:
        folder.rename(tmp_path / "elsewhere")
        folder.touch()
        for _ in range(6):
            assert_refused(await api.call("GET", f"/runs/{run}/steps/work/log"))
        assert (guard.failures, guard.spared) == (3, 3)
        assert [item["id"] for item in (await api.get("/runs"))["items"]] == [str(run)]

        folder.unlink()
        (tmp_path / "elsewhere").rename(folder)
        ticking.seconds += COOL_DOWN
        assert (await api.call("GET", f"/runs/{run}/steps/work/log")).content == b"hello"


async def test_a_gateway_whose_postgres_is_away_says_so_to_callers_and_goes_on_by_itself(tmp_path: Path) -> None:
    with own_server() as server:
        await asyncio.to_thread(migrate.upgrade, server.url(MIGRATOR), runtime_login=RUNTIME)
        database = Database(server.url(RUNTIME), pool_size=2)
        world = World(database, TestDatabase(server, DATABASE).superuser_url, Clock(), Evaluations())
        await world.given_workspace()
        key = await world.engine.api_keys.issue(world.ids["acme"], NewKey("ci", Role.OWNER, "alice"))
        await database.close()
        async with believing_api_server(tmp_path) as kubeconfig:
            probes = own_port()
            gateway = GatewayProcess.of(tmp_path, kubeconfig, server.url(RUNTIME), HTTP_PORT=str(probes))
            gateway.process.start()
            try:
                headers = {"Authorization": f"Bearer {key.text}"}
                async with (
                    aiohttp.ClientSession(headers=headers) as aio,
                    httpx.AsyncClient(headers=headers, timeout=60) as http,
                ):
                    await gateway.ready(aio)

                    async def status() -> int:
                        return (await http.get(f"{gateway.url}/api/v1/workspaces/acme/runs")).status_code

                    async def probe(path: str) -> httpx.Response:
                        return await http.get(f"http://127.0.0.1:{probes}/{path}")

                    async def metric(name: str) -> float:
                        families = text_string_to_metric_families((await probe("metrics")).text)
                        samples = [sample for family in families for sample in family.samples]
                        wanted = (f"headgate_dependency_{name}", {"dependency": "postgres"})
                        return next(each.value for each in samples if (each.name, each.labels) == wanted)

                    async def works() -> bool:
                        up, ready = await metric("up"), await probe("readyz")
                        return (await status(), up, ready.status_code) == (200, 1.0, 200)

                    async def is_away() -> bool:
                        return (await status(), await metric("up")) == (503, 0.0)

                    await eventually(works, within=60, what="a gateway that works")
                    await asyncio.to_thread(server.kill)
                    await eventually(is_away, within=60, what="a gateway that says that Postgres is away")
                    failures = await metric("failures_total")

                    async def looked_again() -> bool:
                        return await metric("failures_total") > failures + 1

                    await eventually(looked_again, within=60, what="a gateway that looks for Postgres by itself")
                    assert (await probe("readyz")).status_code == 200
                    await asyncio.to_thread(server.up)
                    await eventually(works, within=60, what="a gateway that works again")
            finally:
                gateway.process.kill()
