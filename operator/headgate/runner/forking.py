"""Starts Python programs by forking an interpreter that has started, which saves most of what starting one takes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from headgate.runner.program import Limits, Process, Program, begin, start_anew

_FILE = str(Path(__file__).with_name("fork_server.py"))
_ANSWER_SECONDS = 5.0
_READ_AT_START = ("LANG", "LC_", "LD_", "TZ", "MALLOC_", "GLIBC_")
"""How variables begin that a process heeds when it starts, and not later."""
_MOST_BYTES = 65_536
"""Of what a process is told: a pipe holds it, so that nobody waits until it is read."""
_LENGTH_BYTES = 8


class Forked:
    """A process that was forked elsewhere, and is our child since its parent has gone."""

    def __init__(self, pid: int, gate: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid = pid
        self.stdin = gate
        self.stdout = stdout
        self.stderr = stderr

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it, when it has ended."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        """End it. Its number is its own as long as nobody has waited for it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)

    def dismiss(self) -> None:
        """End it before it was told anything."""
        self.kill()
        self.wait()
        for pipe in (self.stdin, self.stdout, self.stderr):
            pipe.close()


class ForkServer:
    """Starts programs, those in Python by forking. Whoever uses it has to adopt orphans.

    A process may be there before its program is, and waits then. It is never beside another program: none sees it.
    Where the server is gone, or does not answer, a program is started anew, and so is the server.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._waiting: Forked | None = None
        self._forked_last = False

    @property
    def pid(self) -> int | None:
        """The server's, while it is there."""
        return self._process.pid if self._process is not None else None

    def start(
        self, program: Program, source: Path, folder: Path, environment: Mapping[str, str], limits: Limits
    ) -> Process:
        """See ``program.start_anew``."""
        message = _message(program, source, folder, environment)
        self._forked_last = message is not None
        if message is not None:
            try:
                waiting, self._waiting = self._waiting or self._forked(), None
                return begin(waiting, limits, message)
            except (OSError, ValueError):
                self.end()
        self._dismiss()
        return start_anew(program, source, folder, environment, limits)

    def prepare(self) -> None:
        """Have a process that waits for the next program, where that is likely to be in Python as the last one was.

        Nothing of a program must be there meanwhile.
        """
        if self._forked_last and self._waiting is None:
            try:
                self._waiting = self._forked()
            except (OSError, ValueError):
                self.end()

    def ready(self) -> None:
        """Start the server, where there is none. Raises ``OSError``."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own file
                [sys.executable, "-I", _FILE],
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.settimeout(_ANSWER_SECONDS)
        self._control = ours

    def end(self) -> None:
        """End the server, if there is one, and what waits."""
        self._dismiss()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None

    def _dismiss(self) -> None:
        if self._waiting is not None:
            self._waiting.dismiss()
        self._waiting = None

    def _forked(self) -> Forked:
        self.ready()
        if self._control is None:
            raise OSError("the server has gone")
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            reads, gate = _pipe(theirs, ours)
            stdout, prints = _pipe(ours, theirs)
            stderr, complains = _pipe(ours, theirs)
            socket.send_fds(self._control, [b"+"], [end.fileno() for end in (reads, prints, complains)])
            told = self._control.recv(32)
            if not told:
                raise OSError("the server has gone")
            ours.pop_all()
            return Forked(int(told), gate, stdout, stderr)


def _message(program: Program, source: Path, folder: Path, environment: Mapping[str, str]) -> bytes | None:
    """What a process is told that was forked; None where the program needs one that was started for it."""
    if program.language != "python" or any(name.startswith(_READ_AT_START) for name in program.variables):
        return None
    variables = (f"{name}={value}" for name, value in environment.items())
    parts = [os.fsencode(part) for part in (str(source), str(folder), *variables)]
    message = b"\0".join(parts)
    if len(message) > _MOST_BYTES - _LENGTH_BYTES or message.count(b"\0") >= len(parts):
        return None
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


def _pipe(of_reading: contextlib.ExitStack, of_writing: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """Both ends of a pipe, closed with who has them."""
    read, write = os.pipe()
    return (
        of_reading.enter_context(os.fdopen(read, "rb", buffering=0)),
        of_writing.enter_context(os.fdopen(write, "wb", buffering=0)),
    )
