"""Headgate's warm path, asked as peers are: a gateway and a warm runner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import warm
from benchmarks.peers.measuring import Running, own_seconds
from benchmarks.peers.processes import processor_seconds
from benchmarks.peers.questions import Questions
from hack.postgres import MIGRATOR, RUNTIME, Server
from headgate.store import migrate

NAME = "acme"
JOB = "3000, a Job's on a cluster (not taken in this run)"


@dataclass
class Headgate:
    """Starts runs through the gateway."""

    bench: warm.Bench

    async def start(self, steps: int) -> Any:
        return await self.bench.start("call" if steps == 1 else "calls", NAME)

    async def ended(self, run: Any) -> None:
        await self.bench.ended(NAME, run)


def title() -> str:
    """With the version."""
    return f"Headgate {version('headgate')}"


@asynccontextmanager
async def running(server: Server, _folder: Path) -> AsyncIterator[Running]:
    """Headgate on that Postgres."""
    migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
    async with warm.running(server, [NAME], gateways=1, runners=1) as bench:

        async def open_runs() -> int:
            return await bench.engine.workspaces.running_runs(NAME)

        def used() -> Mapping[str, float]:
            parts = {part: processor_seconds(roots) for part, roots in bench.processes.items()}
            return {**parts, "client": own_seconds()}

        yield Running(Questions(Headgate(bench), bench.seen), open_runs, used, JOB)
