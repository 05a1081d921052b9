"""A program of a tenant in a process of its own: started within limits, followed, ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol, cast

from headgate.engine.bounds import OUTPUT_BYTES
from headgate.runner.errors import NodeFailed
from headgate.runner.left import KeepOpen, keep_none, opened
from headgate.runner.printed import Print, Printed

ARTIFACTS = "artifacts"
"""The folder, beside the program's own, in which it leaves files."""
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


def begin(process: Process, limits: Limits) -> Process:
    """Put the limits on a process that waits for a line, and tell it one. Raises what ``Limits.put_on`` does."""
    gate = cast("IO[bytes]", process.stdin)
    try:
        limits.put_on(process.pid)
        gate.write(b"\n")
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
    folder = tempfile.mkdtemp(prefix="script-")
    try:
        ended = await _run(program, Path(folder), show, grace, limits, start)
        if ended.code == 0 and ended.mistake is None:
            with opened(Path(folder, ARTIFACTS)) as files:
                if files:
                    await keep(files)
        return ended
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


async def _run(program: Program, folder: Path, show: Print, grace: float, limits: Limits, start: Start) -> Ended:
    # Nothing of the runner's own: neither the gateway's address nor the secrets of other nodes.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **program.variables,
        "HEADGATE_OUTPUT": str(folder / "output"),
        "HEADGATE_ARTIFACTS": str(folder / ARTIFACTS),
    }
    (folder / ARTIFACTS).mkdir()
    work = folder / "work"
    work.mkdir()
    source = folder / "source"
    source.write_text(program.source)
    try:
        process = start(program, source, work, environment, limits)
    except (OSError, ValueError) as error:
        raise NodeFailed("ScriptNotStarted", f"the script could not be started: {type(error).__name__}") from None
    printed = Printed(show)
    following = asyncio.gather(
        printed.follow("stdout", process.stdout), printed.follow("stderr", process.stderr), return_exceptions=True
    )
    ending = asyncio.ensure_future(asyncio.to_thread(process.wait))
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
        return Ended(code, said, _output(folder / "output"))
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


def _output(path: Path) -> Any:
    """What a script wrote. It may have put there anything: only a plain file is read, and only so much of it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        raise NodeFailed("InvalidOutput", "$HEADGATE_OUTPUT is no plain file") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NodeFailed("InvalidOutput", "$HEADGATE_OUTPUT is no plain file")
        raw = os.read(descriptor, OUTPUT_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(raw) > OUTPUT_BYTES:
        raise NodeFailed("InvalidOutput", f"more than {OUTPUT_BYTES} bytes were written to $HEADGATE_OUTPUT")
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise NodeFailed("InvalidOutput", f"what was written to $HEADGATE_OUTPUT is not JSON: {error}") from None
