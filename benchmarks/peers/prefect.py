"""Prefect as its documentation sets it up: a server on Postgres, and a worker that runs background tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path

import aiohttp
from psycopg import sql

from benchmarks.peers.databases import count, given_databases
from benchmarks.peers.measuring import CLIENTS, Running
from benchmarks.peers.processes import Client, Processes, processor_seconds
from hack import pinned_python
from hack.ports import free_port
from hack.postgres import Server
from hack.shell import run
from tests.support.waiting import eventually

DATABASE = "prefect"
EVERY_SECOND = {"PREFECT_RUNNER_POLL_FREQUENCY": "1"}
"""How often its runner looks for runs; every ten seconds by default."""
_OPEN = sql.SQL(
    "SELECT count(*) FROM task_run"
    " WHERE state_type IS NULL OR state_type NOT IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"
)


def installed() -> Path:
    """The Python that has it. Raises where it cannot be had."""
    return pinned_python.interpreter("prefect")


def title() -> str:
    """With the version."""
    return f"Prefect {run(installed(), '-c', 'import prefect; print(prefect.__version__)').strip()}"


@asynccontextmanager
async def running(server: Server, folder: Path) -> AsyncIterator[Running]:
    """Prefect on that Postgres."""
    access = given_databases(server, DATABASE)
    processes, port = Processes(folder), free_port()
    ours = {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_DATABASE_CONNECTION_URL": access.url(DATABASE, "postgresql+asyncpg"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
    theirs = {name: value for name, value in ours.items() if "DATABASE" not in name}
    theirs["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    program: list[str | Path] = [installed(), "-m"]
    start = [*program, "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    worker = [*program, "benchmarks.peers.programs.prefect_worker", str(CLIENTS)]
    serving = [*program, "benchmarks.peers.programs.prefect_runner"]
    asking = [*program, "benchmarks.peers.programs.prefect_client", str(CLIENTS)]
    async with processes.started("server", start, ours):
        await eventually(lambda: _answers(port), within=120, what="Prefect's server")
        async with (
            processes.started("worker", worker, theirs),
            processes.started("client", asking, theirs) as asked,
        ):
            client = Client(asked)
            await client.ready()

            async def open_runs() -> int:
                return await count(access, DATABASE, _OPEN)

            def used() -> Mapping[str, float]:
                parts = {part: processor_seconds(roots) for part, roots in processes.roots.items()}
                return {**parts, "postgres": processor_seconds([server.pid() or 0])}

            cold = partial(processes.started, "runner", serving, theirs | EVERY_SECOND)
            yield Running(client, open_runs, used, cold)


async def _answers(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/api/health") as answer:
            return answer.status == HTTPStatus.OK
    except aiohttp.ClientError:
        return False
