"""A program of a tenant in a process of its own: started within limits, followed, ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol, cast

from headgate.runner.errors import NodeFailed
from headgate.runner.left import KeepOpen, keep_none, opened
from headgate.runner.printed import Print, Printed
from headgate.runner.script_folder import ScriptFolder, script_folder
from headgate.runner.waiting import ended

_DRAIN_SECONDS = 1.0
_GATE = ("/bin/sh", "-c", 'read -r _ && unset PWD OLDPWD && exec "$@" </dev/null', "sh")
"""Becomes the command behind it once it is told a line, and ends where it is told none."""


@dataclass(frozen=True)
class Limits:
    """What each process of a program may use at most; None for no limit but those of the container."""

    cpu_seconds: float | None = None
    """Time of a processor, after which the process is sent SIGXCPU, and SIGKILL a second later."""
    memory_bytes: int | None = None
    """Memory for data, beyond which none is given."""
    file_bytes: int | None = None
    """Size of a file that it writes."""

    def put_on(self, pid: int) -> None:
        """Hold a process, and what it starts from now on, to them. Raises ``OSError`` or ``ValueError``."""
        given = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_CPU: None if self.cpu_seconds is None else math.ceil(self.cpu_seconds),
            resource.RLIMIT_DATA: self.memory_bytes,
            resource.RLIMIT_FSIZE: self.file_bytes,
        }
        for which, most in given.items():
            if most is not None:
                _, hard = resource.prlimit(pid, which)
                # Where both limits of processor time are alike, Linux kills without the signal that says why.
                ends = (most, most + 1 if which == resource.RLIMIT_CPU else most)
                soft, last = ends if hard == resource.RLIM_INFINITY else (min(end, hard) for end in ends)
                resource.prlimit(pid, which, (soft, last))


@dataclass(frozen=True)
class Program:
    """What is to be executed. ``repr`` does not show it, as its variables may be secrets."""

    language: Literal["python", "shell"]
    source: str
    variables: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Program({self.language})"


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    """As Python has it: minus the signal that ended it."""
    said: str
    """What it printed last on standard error."""
    output: Any = None
    """What it wrote to ``$HEADGATE_OUTPUT``."""
    mistake: str | None = None
    """What is wrong with that."""


class Process(Protocol):
    """A program that is executed, the first of a process group of its own."""

    @property
    def pid(self) -> int:
        """Its number, and its group's."""
        ...

    @property
    def stdin(self) -> IO[bytes] | None:
        """What tells it to begin."""
        ...

    @property
    def stdout(self) -> IO[bytes] | None:
        """Where it prints."""
        ...

    @property
    def stderr(self) -> IO[bytes] | None:
        """Where it prints what goes wrong."""
        ...

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it, when it has ended."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


Start = Callable[[Program, Path, Path, Mapping[str, str], Limits], Process]
"""Starts a program that lies in a file, in a folder, with these variables and no others; see ``start_anew``."""


def start_anew(program: Program, source: Path, folder: Path, environment: Mapping[str, str], limits: Limits) -> Process:
    """Start an interpreter for the program, of which nothing has happened before the limits are on.

    So what it starts first has them as well. Raises ``OSError`` or ``ValueError``.
    """
    # Isolated, so that neither the folder nor variables of Python's change what it imports.
    command = [sys.executable, "-I", str(source)] if program.language == "python" else ["sh", str(source)]
    # Not by asyncio, for which a process has not ended before its output is closed, by whoever else holds it.
    process = subprocess.Popen(  # noqa: S603 - executing what a workflow says is what it is for
        [*_GATE, *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    return begin(process, limits)


def begin(process: Process, limits: Limits, word: bytes = b"\n") -> Process:
    """Put the limits on a process that waits to be told something, and tell it. Raises what ``Limits.put_on`` does."""
    gate = cast("IO[bytes]", process.stdin)
    try:
        limits.put_on(process.pid)
        while word:
            word = word[gate.write(word) :]
        gate.close()
    except BaseException:
        process.kill()
        process.wait()
        for pipe in filter(None, (gate, process.stdout, process.stderr)):
            with contextlib.suppress(OSError):
                pipe.close()
        raise
    return process


async def run(
    program: Program,
    show: Print,
    grace: float,
    limits: Limits,
    keep: KeepOpen = keep_none,
    *,
    start: Start = start_anew,
) -> Ended:
    """Execute it in a folder of its own, which is gone afterwards. Raises ``NodeFailed`` where it does not start.

    Where it succeeded, what it left in ``$HEADGATE_ARTIFACTS`` is given to ``keep``; raises what that raises. Whatever
    is left of its process group has ended afterwards, also where this is cancelled: then the program is asked to end,
    and has ``grace`` seconds for it.
    """
    async with script_folder(program.source) as folder:
        how = await _run(program, folder, show, grace, limits, start)
        if how.code == 0 and how.mistake is None:
            with opened(folder.artifacts) as files:
                if files:
                    await keep(files)
        return how


async def _run(
    program: Program, folder: ScriptFolder, show: Print, grace: float, limits: Limits, start: Start
) -> Ended:
    # Nothing of the runner's own: neither the gateway's address nor the secrets of other nodes.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder.path),
        "TMPDIR": str(folder.path),
        **program.variables,
        "HEADGATE_OUTPUT": str(folder.output),
        "HEADGATE_ARTIFACTS": str(folder.artifacts),
    }
    try:
        process = start(program, folder.source, folder.work, environment, limits)
    except (OSError, ValueError) as error:
        raise NodeFailed("ScriptNotStarted", f"the script could not be started: {type(error).__name__}") from None
    printed = Printed(show)
    following = asyncio.gather(
        printed.follow("stdout", process.stdout), printed.follow("stderr", process.stderr), return_exceptions=True
    )
    ending = asyncio.ensure_future(ended(process))
    try:
        code = await asyncio.shield(ending)
    except asyncio.CancelledError:
        await _whatever_comes(_asked_to_end(process.pid, ending, grace))
        raise
    finally:
        # What it left running as well, which would keep its output open.
        _signal_group(process.pid, signal.SIGKILL)
        await _whatever_comes(_drained(ending, following))
        printed.close()
    said = printed.tail.decode("utf-8", "replace")
    if code != 0:
        return Ended(code, said)
    try:
        return Ended(code, said, folder.written())
    except NodeFailed as failure:
        return Ended(code, said, mistake=failure.message)


async def _asked_to_end(leader: int, ending: asyncio.Future[int], grace: float) -> None:
    # All of the group: a shell looks at the signal when the program has ended for which it waits.
    _signal_group(leader, signal.SIGTERM)
    await asyncio.wait([ending], timeout=grace)


async def _whatever_comes(work: Awaitable[None]) -> None:
    """Do the work to its end, whoever asks meanwhile for what is being done already."""
    doing = asyncio.ensure_future(work)
    while not doing.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(doing)
    doing.result()


async def _drained(ending: asyncio.Future[int], following: asyncio.Future[Any]) -> None:
    await ending
    await asyncio.wait([following], timeout=_DRAIN_SECONDS)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


def _signal_group(leader: int, number: signal.Signals) -> None:
    # The group outlives its leader as long as anybody is in it, and its number is not given out anew before.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
