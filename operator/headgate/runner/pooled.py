"""A runner of a pool, put together: its lanes, the room for its scripts, and its probe."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from headgate.domain.pool import LANES, SCRIPTS
from headgate.runner.alive import Alive, serve
from headgate.runner.client import Gateway
from headgate.runner.execution import Executor
from headgate.runner.pool import Lane, Pool
from headgate.runner.printed_logs import PrintedLogs
from headgate.runner.script_room import ScriptRoom
from headgate.runner.settings import RunnerSettings

_ALIVE_SECONDS = 90.0
"""Several times as long as a request may take."""


async def serve_pool(settings: RunnerSettings, queue: Gateway, executor: Executor) -> int:
    """Work until told to end, and return the exit code. Raises ``GatewayRefused``."""
    log = structlog.get_logger("headgate.runner")
    alive = Alive(time.monotonic)
    async with AsyncExitStack() as stack:
        printed = PrintedLogs()
        lanes = [Lane(size.kinds, size.at_once, _at_once) for size in LANES if size is not SCRIPTS]
        if settings.scripts_socket is not None:
            room = ScriptRoom(settings.scripts_socket)
            listening = await room.listen()
            stack.callback(listening.close)
            executor = replace(executor, programs=room.run, printed=printed)
            lanes.append(Lane(SCRIPTS.kinds, SCRIPTS.at_once, room.ready))
        if settings.probe_port:
            probe = await serve(alive, settings.probe_port)
            stack.callback(probe.close)
        pool = Pool(
            queue,
            executor.execute,
            tuple(lanes),
            settings.wait_seconds,
            settings.drain_seconds,
            lambda lane: alive.show(lane, _ALIVE_SECONDS),
            printed=printed.take,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, pool.drain)
        log.info("waiting for work")
        await pool.run()
    log.info("drained")
    return 0


async def _at_once() -> None:
    """Calls need nothing."""
