"""The process that executes a pool's scripts, in a container of its own: ``python -m headgate.runner.script_host``.

It has neither the runner's token nor anything else that a script must not see, and what a script does to the processes
and files of this container concerns nobody else. It executes one at a time, and leaves nothing of it: no process, no
file. Without the runner it ends, and is started anew.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from headgate.runner import script_line
from headgate.runner.alive import Alive, serve
from headgate.runner.confinement import (
    adopt_orphans,
    close_to_others,
    empty,
    end_descendants,
    forget_shared_memory,
    has_descendants,
    is_left,
)
from headgate.runner.errors import NodeFailed
from headgate.runner.forking import ForkServer
from headgate.runner.left import OpenFile
from headgate.runner.program import run

EXIT_UNCLEAN = 5
"""Something of a script could not be ended: the container has to go."""
_ALIVE_SECONDS = 60.0
_CONNECT_PAUSE_SECONDS = 0.2


class ScriptSettings(BaseSettings):
    """What the pod spec tells the host of scripts."""

    model_config = SettingsConfigDict(env_prefix="HEADGATE_SCRIPTS_", env_ignore_empty=True, frozen=True)

    socket: str
    """Where the runner listens."""
    probe_port: int = Field(default=0, ge=0, le=65535)
    """Port that tells whether it moves; 0 for none."""
    emptied: str = ""
    """Folders of which nothing is left after a script, with colons between."""


class Unclean(Exception):  # noqa: N818 - a state of the container, not a mistake
    """Something of a script goes on."""


async def work(settings: ScriptSettings) -> int:
    """Execute what the runner says until it goes, and return the exit code."""
    alive = Alive(time.monotonic)
    if settings.probe_port:
        await serve(alive, settings.probe_port)
    working = asyncio.ensure_future(_serve(settings, alive))
    for number in (signal.SIGTERM, signal.SIGINT):
        # The runner drains first, and goes then.
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    try:
        await working
    except Unclean:
        return EXIT_UNCLEAN
    return 0


async def _serve(settings: ScriptSettings, alive: Alive) -> None:
    emptied = tuple(Path(folder) for folder in settings.emptied.split(":") if folder)
    beating = asyncio.create_task(alive.beat("scripts", _ALIVE_SECONDS))
    reader, writer = await _connected(settings.socket)
    server = ForkServer()
    try:
        while (said := await script_line.heard(reader)) is not None:
            if said["say"] == script_line.RUN:
                writer.write(await _executed(said, reader, writer, server))
                await _leave_nothing(server, emptied)
                writer.write(script_line.encoded(script_line.READY))
                await writer.drain()
                server.prepare()
    except ConnectionError:
        return
    finally:
        beating.cancel()
        writer.close()
        server.end()


async def _executed(
    said: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: ForkServer
) -> bytes:
    """What there is to say of the end of a program."""

    def show(stream: str, text: str) -> None:
        writer.write(script_line.encoded(script_line.PRINTED, stream=stream, text=text))

    reading = Reading(writer)
    program, grace, limits = script_line.requested(said)
    executing = asyncio.ensure_future(run(program, show, grace, limits, reading.keep, start=server.start))
    stopping = asyncio.ensure_future(_until_stopped(reader, reading))
    await asyncio.wait([executing, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not executing.done():
        executing.cancel()
    [ended] = await asyncio.gather(executing, return_exceptions=True)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    if isinstance(ended, NodeFailed):
        return script_line.encoded(script_line.FAILED, reason=ended.reason, message=ended.message)
    if isinstance(ended, BaseException):
        return script_line.encoded(script_line.FAILED, reason="RunnerError", message=type(ended).__name__)
    return script_line.ending(ended)


async def _until_stopped(reader: asyncio.StreamReader, reading: Reading) -> None:
    """Return when the program is to end: when anything is said but of what it left, and when the runner has gone."""
    while (said := await script_line.heard(reader)) is not None and said["say"] in (script_line.READ, script_line.KEPT):
        reading.asked.put_nowait(said)


class Reading:
    """Gives the runner what a program left, piece by piece as it asks."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        """What the runner says."""

    async def keep(self, files: Sequence[OpenFile]) -> None:
        """Tell of the files, and give of them what is asked for until they are kept. Raises ``NodeFailed``."""
        self._writer.write(script_line.left(files))
        while (said := await self.asked.get())["say"] == script_line.READ:
            number, at = said["file"], said["at"]
            content = await asyncio.to_thread(files[number].read, at)
            self._writer.write(script_line.piece(number, at, content))
            await self._writer.drain()


async def _leave_nothing(server: ForkServer, emptied: tuple[Path, ...]) -> None:
    """Let no process and no file be left of a script; a thread does it only where there is anything, as a rule not."""
    if has_descendants(server.pid) and not await asyncio.to_thread(end_descendants, server.pid):
        raise Unclean
    if emptied and is_left(emptied):
        await asyncio.to_thread(empty, emptied)
        await asyncio.to_thread(forget_shared_memory)


async def _connected(socket: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_unix_connection(socket, limit=script_line.LINE_BYTES)
        except (FileNotFoundError, ConnectionError):
            await asyncio.sleep(_CONNECT_PAUSE_SECONDS)


def main() -> int:
    """Read the environment, and work."""
    close_to_others()
    adopt_orphans()
    os.umask(0o077)
    return asyncio.run(work(ScriptSettings()))


if __name__ == "__main__":
    sys.exit(main())
