"""The runner's process: ``python -m headgate.runner``."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time

import httpx
import structlog

from headgate.domain.runner_log import FrameWriter
from headgate.runner.client import Gateway, GatewayRefused, GatewayUnavailable
from headgate.runner.execution import Executor
from headgate.runner.loop import Loop
from headgate.runner.networks import Networks
from headgate.runner.secrets import Secrets
from headgate.runner.settings import RunnerSettings
from headgate.telemetry import configure_logging

SERVICE = "headgate-runner"
EXIT_GATEWAY = 4
"""The gateway stayed away, or refused."""
EXIT_TERMINATED = 143
_PR_SET_DUMPABLE = 4


async def work(settings: RunnerSettings, secrets: Secrets) -> int:
    """Work until there is nothing to do, and return the exit code."""
    log = structlog.get_logger("headgate.runner")
    # No proxy of the environment: the token goes to the gateway and nowhere else.
    async with httpx.AsyncClient(base_url=settings.gateway_url, trust_env=False) as http:
        networks = Networks.parse(settings.networks)
        queue = Gateway(http, settings.token_path)
        executor = Executor(
            secrets, networks, FrameWriter(_emit), grace=settings.grace_seconds, release=queue.credentials
        )
        loop = Loop(
            queue,
            executor.execute,
            settings.run_id,
            settings.slots,
            settings.idle_seconds,
            monotonic=time.monotonic,
        )
        going = asyncio.create_task(loop.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, going.cancel)
        try:
            await going
        except asyncio.CancelledError:
            log.warning("told to end")
            return EXIT_TERMINATED
        except (GatewayUnavailable, GatewayRefused) as error:
            log.error("giving up", error=str(error))  # noqa: TRY400 - it says all there is
            return EXIT_GATEWAY
    log.info("nothing more to do")
    return 0


def _emit(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _close_to_scripts() -> None:
    """Let no script, which runs as the same user, read this process' environment and memory."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def main() -> int:
    """Read the environment, and work."""
    _close_to_scripts()
    settings = RunnerSettings()
    configure_logging(settings.log_level, service=SERVICE)
    _quieten_libraries()
    return asyncio.run(work(settings, Secrets(os.environ)))


def _quieten_libraries() -> None:
    """Keep libraries from logging urls, in which a workflow may have put anything."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
