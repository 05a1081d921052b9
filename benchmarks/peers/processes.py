"""Programs of a system under test: started together, counted together, and ended together."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
_LONGEST_LINE = 2**20


@dataclass
class Processes:
    """Starts programs, each with a log in ``folder`` and no more of our environment than it needs."""

    folder: Path
    roots: dict[str, list[int]] = field(default_factory=dict)

    @asynccontextmanager
    async def started(
        self, part: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The program until the end of the block, with all that it started. It is of that part of the system."""
        known = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        with (self.folder / f"{part}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=known | dict(environment or {}),
                cwd=self.folder,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if part == "client" else log,
                stderr=log,
                limit=_LONGEST_LINE,
                start_new_session=True,
            )
        self.roots.setdefault(part, []).append(process.pid)
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@dataclass
class Client:
    """The client's program of a peer, asked as ``Questions`` are."""

    process: asyncio.subprocess.Process

    async def warm_up(self, count: int) -> None:
        await self._ask("warm_up", count)

    async def first_steps(self, count: int) -> list[Sequence[float]]:
        answer: list[Sequence[float]] = await self._ask("first_steps", count)
        return answer

    async def cold_steps(self, count: int) -> list[float]:
        return [float(each) for each in await self._ask("cold_steps", count)]

    async def steps_in_a_row(self, count: int) -> float:
        return float(await self._ask("steps_in_a_row", count))

    async def start_many(self, total: int, clients: int) -> None:
        await self._ask("start_many", total, clients)

    async def calls(self) -> int:
        return int(await self._ask("calls"))

    async def ready(self) -> None:
        """Return when it can be asked."""
        await self._answer()

    async def _ask(self, *question: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        return await self._answer()

    async def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("the client's program has ended")
        return json.loads(line)


def processor_seconds(roots: Iterable[int]) -> float:
    """Of these processes and all that they started, as far as they are there, or were waited for."""
    used = 0.0
    for root in roots:
        with suppress(psutil.Error):
            for process in (psutil.Process(root), *psutil.Process(root).children(recursive=True)):
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    used += times.user + times.system + times.children_user + times.children_system
    return used
