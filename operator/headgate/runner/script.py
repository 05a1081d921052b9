"""``script`` nodes: a fresh process each, in a folder and a process group of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any

from headgate.api.builtin import Script
from headgate.engine.bounds import OUTPUT_BYTES
from headgate.runner.errors import NodeFailed
from headgate.runner.printed import Print, Printed
from headgate.runner.secrets import Secrets

_SAID = 768
_DRAIN_SECONDS = 1.0
_SIGNALLED = 128


async def execute(node: Script, secrets: Secrets, about: Mapping[str, str], show: Print, *, grace: float) -> Any:
    """The JSON that the script wrote to ``$HEADGATE_OUTPUT``, or None. Raises ``NodeFailed``.

    ``about`` are variables that tell the script which attempt it is. Whatever it started has ended afterwards, also
    where this is cancelled: then the script is asked to end, and has ``grace`` seconds for it.
    """
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="script-")
    try:
        return await _run(node, Path(folder), secrets, about, show, grace)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def _environment(node: Script, secrets: Secrets, about: Mapping[str, str], folder: Path) -> dict[str, str]:
    # Nothing of the runner's own: neither the gateway's address nor the secrets of other nodes.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    for variable in node.env:
        source = variable.value_from
        ref = (source.secret_key_ref or source.credential_key_ref) if source else None
        environment[variable.name] = secrets.value(ref) if ref else variable.value or ""
    return {**environment, **about, "HEADGATE_OUTPUT": str(folder / "output")}


async def _run(
    node: Script, folder: Path, secrets: Secrets, about: Mapping[str, str], show: Print, grace: float
) -> Any:
    environment = _environment(node, secrets, about, folder)
    work = folder / "work"
    work.mkdir()
    source = folder / "source"
    source.write_text(node.source)
    # Isolated, so that neither the folder nor variables of Python's change what it imports.
    command = [sys.executable, "-I", str(source)] if node.language == "python" else ["sh", str(source)]
    try:
        process = _start(command, work, environment)
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
    if code != 0:
        raise _ended_badly(code, secrets.redactor().text(printed.tail.decode("utf-8", "replace")))
    return _output(folder / "output")


def _start(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # Not by asyncio, for which a process has not ended before its output is closed, by whoever else holds it.
    return subprocess.Popen(  # noqa: S603 - executing what a workflow says is what it is for
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


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


def _ended_badly(code: int, printed: str) -> NodeFailed:
    exit_code = code if code >= 0 else _SIGNALLED - code
    said = printed.strip()[-_SAID:]
    message = f"exited with code {exit_code}"
    return NodeFailed("ExitCode", f"{message}: {said}" if said else message, exit_code)


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
