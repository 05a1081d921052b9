"""``headgate`` as somebody types it, against a real server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from typer.testing import CliRunner

from hack.record import ROOT
from headgate.cli.tenants import app


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """An environment that has a server, a workspace and a token."""

    url: str
    token: str = field(repr=False)
    home: Path
    workspace: str = "acme"

    @property
    def environment(self) -> dict[str, str]:
        """What every command is given."""
        named = {"HEADGATE_SERVER": self.url, "HEADGATE_TOKEN": self.token, "HEADGATE_WORKSPACE": self.workspace}
        return {**named, "XDG_CONFIG_HOME": str(self.home), "NO_COLOR": "1"}

    def nobody(self) -> Shell:
        """The same without a token."""
        return replace(self, token="")

    async def __call__(self, *words: str, given: str | bytes = "") -> Said:
        """What a command says, which has a loop of its own."""
        result = await asyncio.to_thread(lambda: CliRunner().invoke(app, words, given, self.environment))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    @asynccontextmanager
    async def process(self, *words: str, terminal: int | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
        """The program itself, which is ended where it has not ended. It writes to a pipe, or to the terminal given."""
        environment = os.environ | self.environment | {"PYTHONPATH": str(ROOT / "operator"), "PYTHONUNBUFFERED": "1"}
        if terminal is not None:
            del environment["NO_COLOR"]
            environment["TERM"] = "xterm-256color"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "headgate.cli.entry",
            *words,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if terminal is None else terminal,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def ended(process: asyncio.subprocess.Process) -> Said:
    """How the program ended."""
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    return Said(process.returncode or 0, (out or b"").decode(), err.decode())


def read_all(terminal: int) -> str:
    """What is written to a terminal until nobody has it open any more."""
    written = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:
            return written.decode()
        if not piece:
            return written.decode()
        written += piece


async def line_with(process: asyncio.subprocess.Process, words: str) -> str:
    """The next line that has these words, which must come."""
    assert process.stdout is not None
    async with asyncio.timeout(120):
        async for line in process.stdout:
            if words in line.decode():
                return line.decode()
    raise AssertionError(f"no line with {words!r} came")
