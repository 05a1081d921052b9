"""A client of Prefect's. It is told of the server by ``PREFECT_API_URL``; its argument is how many ask at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from benchmarks.peers.programs.answering import answering
from benchmarks.peers.programs.prefect_steps import DEPLOYMENT, call, many, one

_LOOK_EVERY = 0.02


@dataclass
class Prefect:
    """Asks for background tasks."""

    client: PrefectClient
    threads: ThreadPoolExecutor
    url: str

    async def start(self, steps: int) -> Any:
        asked = call if steps == 1 else many
        # There is no other call than this one, which blocks.
        future = await asyncio.get_running_loop().run_in_executor(self.threads, asked.delay, self.url)
        return future.task_run_id

    async def ended(self, run: Any) -> None:
        await self._succeeded(lambda: self.client.read_task_run(run))

    async def start_cold(self) -> Any:
        deployment = await self._deployed()
        run = await self.client.create_flow_run_from_deployment(deployment.id, parameters={"url": self.url})
        return run.id

    async def ended_cold(self, run: Any) -> None:
        await self._succeeded(lambda: self.client.read_flow_run(run))

    async def _deployed(self) -> Any:
        while True:
            try:
                return await self.client.read_deployment_by_name(f"{one.name}/{DEPLOYMENT}")
            except ObjectNotFound:
                await asyncio.sleep(_LOOK_EVERY)

    async def _succeeded(self, look: Callable[[], Awaitable[Any]]) -> None:
        while True:
            state = (await look()).state
            if state is not None and state.is_final():
                if not state.is_completed():
                    raise RuntimeError(f"the run ended as {state.name}")
                return
            await asyncio.sleep(_LOOK_EVERY)


async def main() -> None:
    async with get_client() as client:
        with ThreadPoolExecutor(int(sys.argv[1])) as threads:

            async def opened(url: str) -> Prefect:
                prefect = Prefect(client, threads, url)
                await prefect.ended(await prefect.start(1))
                return prefect

            await answering(opened)


asyncio.run(main())
