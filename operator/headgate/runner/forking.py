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


class ForkServer:
    """Starts programs, those in Python by forking. Whoever uses it has to adopt orphans.

    Where the server is gone, or does not answer, a program is started anew, and so is the server.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The server's, while it is there."""
        return self._process.pid if self._process is not None else None

    def start(
        self, program: Program, source: Path, folder: Path, environment: Mapping[str, str], limits: Limits
    ) -> Process:
        """See ``program.start_anew``."""
        if program.language != "python" or any(name.startswith(_READ_AT_START) for name in program.variables):
            return start_anew(program, source, folder, environment, limits)
        try:
            forked = self._forked(source, folder, environment)
        except (OSError, ValueError):
            self.end()
            return start_anew(program, source, folder, environment, limits)
        return begin(forked, limits)

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
        """End the server, if there is one."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None

    def _forked(self, source: Path, folder: Path, environment: Mapping[str, str]) -> Forked:
        variables = (f"{name}={value}" for name, value in environment.items())
        parts = [os.fsencode(part) for part in (str(source), str(folder), *variables)]
        if any(b"\0" in part for part in parts):
            raise ValueError("a variable holds the character U+0000")
        self.ready()
        if self._control is None:
            raise OSError("the server has gone")
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            reads, gate = _pipe(theirs, ours)
            stdout, prints = _pipe(ours, theirs)
            stderr, complains = _pipe(ours, theirs)
            descriptors = [end.fileno() for end in (reads, prints, complains)]
            socket.send_fds(self._control, [b"\0".join(parts)], descriptors)
            told = self._control.recv(32)
            if not told:
                raise OSError("the server has gone")
            ours.pop_all()
            return Forked(int(told), gate, stdout, stderr)


def _pipe(of_reading: contextlib.ExitStack, of_writing: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """Both ends of a pipe, closed with who has them."""
    read, write = os.pipe()
    return (
        of_reading.enter_context(os.fdopen(read, "rb", buffering=0)),
        of_writing.enter_context(os.fdopen(write, "wb", buffering=0)),
    )
