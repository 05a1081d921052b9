"""The runner's process: ``python -m headgate.runner``."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from uuid import UUID

import aiohttp
import structlog
import uvloop

from headgate.domain.runner_log import FrameWriter
from headgate.runner.client import Gateway, GatewayRefused, GatewayUnavailable, Token
from headgate.runner.confinement import close_to_others
from headgate.runner.execution import Executor
from headgate.runner.loop import Loop
from headgate.runner.networks import Networks
from headgate.runner.pooled import serve_pool
from headgate.runner.secrets import Secrets
from headgate.runner.settings import RunnerSettings
from headgate.telemetry import configure_logging

SERVICE = "headgate-runner"
EXIT_GATEWAY = 4
"""The gateway stayed away, or refused."""
EXIT_TERMINATED = 143


async def work(settings: RunnerSettings, secrets: Secrets) -> int:
    """Work until there is nothing to do or, in a pool, until told to end, and return the exit code."""
    # No proxy of the environment: the token goes to the gateway and nowhere else.
    async with aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as http:
        queue = Gateway(http, settings.gateway_url, Token(settings.token_path, time.monotonic))
        executor = Executor(
            secrets,
            Networks.parse(settings.networks),
            FrameWriter(_emit),
            grace=settings.grace_seconds,
            release=queue.credentials,
            cursors=queue,
            shelf=queue,
            file_bytes=settings.file_bytes,
            memory_bytes=settings.memory_bytes,
        )
        try:
            if settings.run_id is None:
                return await serve_pool(settings, queue, executor)
            return await _of_run(settings.run_id, settings, queue, executor)
        except (GatewayUnavailable, GatewayRefused) as error:
            structlog.get_logger("headgate.runner").error("giving up", error=str(error))
            return EXIT_GATEWAY


async def _of_run(run_id: UUID, settings: RunnerSettings, queue: Gateway, executor: Executor) -> int:
    log = structlog.get_logger("headgate.runner")
    loop = Loop(queue, executor.execute, run_id, settings.slots, settings.idle_seconds, monotonic=time.monotonic)
    going = asyncio.create_task(loop.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, going.cancel)
    try:
        await going
    except asyncio.CancelledError:
        log.warning("told to end")
        return EXIT_TERMINATED
    log.info("nothing more to do")
    return 0


def _emit(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Read the environment, and work."""
    close_to_others()
    settings = RunnerSettings()
    configure_logging(settings.log_level, service=SERVICE)
    _quieten_libraries()
    return uvloop.run(work(settings, Secrets(os.environ)))


def _quieten_libraries() -> None:
    """Keep libraries from logging urls and names, in which a workflow may have put anything."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("aiokafka", "aiosmtplib", "dulwich", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(main())
