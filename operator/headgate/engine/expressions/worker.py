"""One child process that evaluates expressions, seen from the operator."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import orjson

import headgate
from headgate.engine.expressions.protocol import HEADER_BYTES, Limits, frame

_START_SECONDS = 20.0
_BROKEN = (EOFError, OSError, ValueError)


class EvaluatorUnavailableError(Exception):
    """No child process could be started: the operator's trouble and not the expression's; trying again may help."""


class Worker:
    """A child process. It takes one request at a time and is of no further use once an answer is missing."""

    def __init__(self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.answered = 0
        """How many expressions it has answered."""
        self.stuck = False
        """Whether it stopped answering without ending."""
        self._process = process
        self._reader = reader
        self._writer = writer
        self._ended = asyncio.Event()
        self._pidfd = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    @classmethod
    async def start(cls, limits: Limits) -> Self:
        """Start a child and wait until it is ready. Raises ``EvaluatorUnavailableError``."""
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            try:
                worker = cls(_spawn(limits, theirs.fileno()), reader, writer)
            except OSError as error:
                writer.close()
                raise EvaluatorUnavailableError(f"cannot start a process: {error}") from error
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker._receive()
        except _BROKEN as error:
            code = await worker.stop()
            raise EvaluatorUnavailableError(f"the process did not become ready (exit code {code})") from error
        except BaseException:
            await worker.stop()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child has not ended, as far as is known."""
        return not self._ended.is_set()

    async def ask(
        self, message: Mapping[str, Any], expressions: Sequence[str], patience: float
    ) -> list[dict[str, Any]]:
        """An answer for each expression, or for the first of them when the child has to end after those, or none.

        None means that the child has ended, or that it was silent for ``patience`` seconds and is ``stuck``.
        ``message`` is the rest of the request. Cancelling leaves the child unusable.
        """
        try:
            self._writer.write(frame(orjson.dumps({**message, "expressions": expressions})))
            await self._writer.drain()
            async with asyncio.timeout(patience):
                answers: list[dict[str, Any]] = await self._receive()
        except TimeoutError:
            self.stuck = True
            return []
        except _BROKEN:
            return []
        self.answered += len(answers)
        return answers

    async def stop(self) -> int:
        """Kill the child if it lives, reap it, and return its exit code (negative: the signal that ended it)."""
        self._writer.close()
        if self.alive:
            self._process.kill()
        await self._ended.wait()
        return self._process.wait()

    async def _receive(self) -> Any:
        length = int.from_bytes(await self._reader.readexactly(HEADER_BYTES))
        return orjson.loads(await self._reader.readexactly(length))

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self._ended.set()


def _spawn(limits: Limits, stdin: int) -> subprocess.Popen[bytes]:
    """The child, in a session of its own and with nothing of our environment."""
    return subprocess.Popen(  # noqa: S603 - our own module
        [
            sys.executable,
            "-s",
            "-P",
            "-B",
            "-m",
            "headgate.engine.expressions.child",
            orjson.dumps(asdict(limits)).decode(),
        ],
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    """All that the child may know: where its code is, and where the time zones are."""
    environment = {"PYTHONPATH": str(Path(headgate.__file__).parent.parent), "LANG": "C.UTF-8"}
    zones = importlib.util.find_spec("tzdata")
    if zones is not None and zones.origin is not None:
        environment["TZDIR"] = str(Path(zones.origin).parent / "zoneinfo")
    return environment
