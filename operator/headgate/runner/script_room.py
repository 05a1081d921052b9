"""Where a pool's runner has its scripts executed: a container of its own beside it, which calls in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import structlog

from headgate.runner import script_line
from headgate.runner.errors import NodeFailed
from headgate.runner.left import Keep, keep_none
from headgate.runner.left_there import LeftThere
from headgate.runner.printed import Print
from headgate.runner.program import Ended, Limits, Program

MARGIN_SECONDS = 15.0
"""Beyond the time that a script has to end: so long the host has to tell of it, and to clean up."""
_LOST = (
    "the container in which the script ran has ended: it used more memory than spec.runners.resources of the Workspace "
    "allows, or was stopped"
)


class ScriptRoom:
    """Listens for the host of scripts, and has it execute one at a time."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._log = structlog.get_logger("headgate.runner")
        self._ready = asyncio.Event()
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def is_ready(self) -> bool:
        """Whether a script could begin now."""
        return self._ready.is_set()

    async def ready(self) -> None:
        """Return when a script could begin."""
        await self._ready.wait()

    async def listen(self) -> asyncio.Server:
        """Wait for the host from now on."""
        self._socket.unlink(missing_ok=True)
        return await asyncio.start_unix_server(self._called, str(self._socket), limit=script_line.LINE_BYTES)

    async def run(self, program: Program, show: Print, grace: float, limits: Limits, keep: Keep = keep_none) -> Ended:
        """Execute a program, as ``program.run`` does. Raises ``NodeFailed`` where the container ends meanwhile."""
        reader, writer = await self._host()
        files = LeftThere(writer, keep)
        self._ready.clear()
        writer.write(script_line.request(program, grace, limits))
        ended: asyncio.Future[Ended | NodeFailed] = asyncio.get_running_loop().create_future()
        telling = asyncio.create_task(self._told(reader, show, ended, files))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        try:
            await asyncio.wait([ended])
        except asyncio.CancelledError:
            files.end()
            writer.write(script_line.encoded(script_line.STOP))
            await _whatever_comes(asyncio.wait([ended], timeout=grace + MARGIN_SECONDS))
            if not ended.done():
                # It does not answer: without us it ends, and another takes its place.
                self._hang_up()
            raise
        found = ended.result()
        if isinstance(found, NodeFailed):
            raise found
        return found

    async def _host(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            await self._ready.wait()
            if self._reader is not None and self._writer is not None and not self._is_gone():
                return self._reader, self._writer
            self._hang_up()

    async def _told(
        self,
        reader: asyncio.StreamReader,
        show: Print,
        ended: asyncio.Future[Ended | NodeFailed],
        files: LeftThere,
    ) -> None:
        """Take in what is told of a program, also that nothing is left of it, which comes after its end."""
        while (said := await script_line.heard(reader)) is not None:
            match said["say"]:
                case script_line.PRINTED:
                    show(said["stream"], said["text"])
                case script_line.LEFT:
                    files.told(said["files"])
                case script_line.PIECE:
                    files.given(said)
                case script_line.ENDED:
                    _settle(ended, Ended(**said["how"]))
                case script_line.FAILED:
                    _settle(ended, files.failure or NodeFailed(said["reason"], said["message"]))
                case script_line.READY:
                    files.end()
                    self._ready.set()
                    return
        files.end()
        _settle(ended, NodeFailed("ScriptLost", _LOST))
        if reader is self._reader:
            self._hang_up()

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A script could call, too; but the host has called before it began, and stays.
        if self._writer is not None and not self._is_gone():
            writer.close()
            return
        self._log.info("scripts can be executed")
        self._reader, self._writer = reader, writer
        self._ready.set()

    def _is_gone(self) -> bool:
        return self._reader is None or self._reader.at_eof() or self._writer is None or self._writer.is_closing()

    def _hang_up(self) -> None:
        self._ready.clear()
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _settle(ended: asyncio.Future[Ended | NodeFailed], how: Ended | NodeFailed) -> None:
    if not ended.done():
        ended.set_result(how)


async def _whatever_comes(work: Awaitable[Any]) -> None:
    """Do the work to its end, whoever asks meanwhile for what is being done already."""
    doing = asyncio.ensure_future(work)
    while not doing.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(doing)
    doing.result()
