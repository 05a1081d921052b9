"""A program that was forked is as one that was started by itself, and sees nothing of those before it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from headgate.runner.confinement import adopt_orphans, end_descendants
from headgate.runner.forking import ForkServer
from headgate.runner.program import Ended, Limits, Program, Start, run, start_anew

_SUBREAPER = 36
_HOLDS_AND_IS_LET_GO = """
import os, sys
class Holding:
    closed, text = False, ""
    def write(self, text): self.text += text
    def flush(self): self.text = self.text[os.write(1, self.text.encode()):]
    def __del__(self): os.write(1, b"gone")
sys.stdout = Holding()
print("held", end="")
"""


@pytest.fixture
def server() -> Iterator[ForkServer]:
    adopt_orphans()
    server = ForkServer()
    yield server
    server.end()
    ctypes.CDLL(None).prctl(_SUBREAPER, 0, 0, 0, 0)


def children() -> set[int]:
    """The processes whose parent this is."""
    return {int(pid) for listed in Path("/proc/self/task").glob("*/children") for pid in listed.read_text().split()}


async def ran(
    start: Start,
    source: str,
    limits: Limits | None = None,
    language: Literal["python", "shell"] = "python",
    **variables: str,
) -> tuple[Ended, str]:
    """How a program ended, and what it printed."""
    printed: list[str] = []
    program = Program(language, source, variables)
    ended = await run(program, lambda _, text: printed.append(text), 1.0, limits or Limits(), start=start)
    return ended, "".join(printed)


@pytest.mark.parametrize(
    "source",
    [
        "import sys; print(sys.argv == [__file__], __name__, sys.flags, sys.orig_argv[1:2])",
        "import os; print(sorted(os.environ), os.listdir(), os.getcwd() == os.environ['HOME'] + '/work')",
        "import os, sys; print(repr(sys.stdin.read()), sorted(os.listdir('/proc/self/fd')))",
        "import os, resource; print(os.getpid() == os.getsid(0), resource.getrlimit(resource.RLIMIT_FSIZE))",
        "import sys; sys.exit(7)",
        "import os; os.abort()",
        "def f():\n    1 / 0\nf()",
        "def f(:\n    pass",
        "raise KeyboardInterrupt",
        "import atexit, threading\natexit.register(print, 'last')\nthreading.Timer(0.05, print, ['late']).start()",
        "x = bytearray(400_000_000)",
        "import os; open(os.environ['HEADGATE_OUTPUT'], 'w').write('[1]')",
        "import multiprocessing as m\nif __name__ == '__main__': m.get_context('spawn').Process(target=int).start()",
        "import os; left = open(os.environ['HEADGATE_OUTPUT'], 'w'); left.write('[2]')",
        "import os\ndef f(): return left\nleft = open(os.environ['HEADGATE_OUTPUT'], 'w'); left.write('[3]')",
        "class C:\n    def __del__(self): print('gone', f())\ndef f(): return 1\nc = C(); c.c = c",
        "import atexit\nclass C:\n    def __del__(self): print('gone')\nc = C(); atexit.register(print, 'first')",
        "import ctypes; ctypes.CDLL(None).printf(b'by C')",
        "import sys; print(1); sys.stdout.close()",
        "import os; print('lost'); os.close(1)",
        "import sys, os; sys.stdout = open(os.environ['HEADGATE_OUTPUT'], 'w'); print('[4]')",
        "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start(); print('on')",
        "import _thread, time; _thread.start_new_thread(time.sleep, (600,)); print('on')",
        "import atexit; atexit.register(int, 'x')",
        "import threading\ndef f(): raise SystemExit(3)\nthreading.Thread(target=f).start()",
        "import tempfile; folder = tempfile.TemporaryDirectory(); file = tempfile.NamedTemporaryFile(); print('left')",
        "import os\nif os.fork(): os.wait()\nprint('each')",
        "import logging, sys; logging.basicConfig(stream=sys.stdout, level=0); logging.info('told'); del logging, sys",
        "import sys, json; json.left = open(__import__('os').environ['HEADGATE_OUTPUT'], 'w'); json.left.write('[5]')",
        "import concurrent.futures as f, time; f.ThreadPoolExecutor().submit(lambda: print(time.sleep(0.05)))",
        "import sys; sys.stdout = None; sys.stderr = None",
        "import sys; sys.exit('why')",
        "import threading; threading.Timer(0.05, print, ['late']).start()",
        _HOLDS_AND_IS_LET_GO,
        "import resource as r; x = [[] for _ in range(300_000)]; r.setrlimit(r.RLIMIT_DATA, (1, 1)); print('full')",
        "left = open('/dev/full', 'w'); left.write('lost')",
        "import os, asyncio; asyncio.run(asyncio.sleep(0)); os.write(1, b'raw')",
    ],
)
async def test_it_is_as_if_an_interpreter_had_been_started_for_it(server: ForkServer, source: str) -> None:
    limits = Limits(cpu_seconds=60, memory_bytes=300_000_000, file_bytes=65_536)

    forked, told = await ran(server.start, source, limits, GIVEN="ä=1")
    started, expected = await ran(start_anew, source, limits, GIVEN="ä=1")

    assert server.pid is not None
    assert (forked.code, forked.output, _bare(told)) == (started.code, started.output, _bare(expected))


def _bare(printed: str) -> str:
    """Without the name of the folder, which each has of its own."""
    return "\n".join(line.partition("script-")[0] for line in printed.splitlines())


async def test_what_one_left_in_its_interpreter_the_next_does_not_see(server: ForkServer) -> None:
    leave = "import builtins, os, random; builtins.left = 1; os.environ['LEFT'] = '1'; os.umask(0); random.seed(1)"
    look = "import os, random; print('left' in dir(__builtins__), 'LEFT' in os.environ, os.umask(0), random.random())"

    _, before = await ran(server.start, look)
    await ran(server.start, leave)
    _, after = await ran(server.start, look)

    assert before.split()[:3] == after.split()[:3]
    assert before != after, "random numbers are others each time"


async def test_of_all_that_descends_from_it_nothing_is_left_but_the_server(server: ForkServer) -> None:
    source = "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
    _, told = await ran(server.start, source)

    assert end_descendants(server.pid)

    with pytest.raises(ProcessLookupError):
        os.kill(int(told), 0)
    before = server.pid
    assert (await ran(server.start, "print(1)"))[1] == "1\n"
    assert server.pid == before


async def test_a_process_that_waits_becomes_the_next_program(server: ForkServer) -> None:
    await ran(server.start, "")
    server.prepare()
    (waiting,) = children() - {server.pid}

    _, told = await ran(server.start, "import os; print(os.getpid())")

    assert int(told) == waiting
    assert children() == {server.pid}


@pytest.mark.parametrize(
    ("language", "variables"),
    [("python", {"TZ": "JST-9"}), ("python", {"LARGE": "x" * 70_000}), ("shell", {})],
)
async def test_none_waits_beside_a_program_that_is_started_for_itself(
    server: ForkServer, language: Literal["python", "shell"], variables: dict[str, str]
) -> None:
    await ran(server.start, "")
    server.prepare()

    ended, _ = await ran(server.start, "", None, language, **variables)
    server.prepare()

    assert ended.code == 0
    assert children() == {server.pid}


async def test_a_process_that_ended_while_it_waited_costs_no_program(server: ForkServer) -> None:
    await ran(server.start, "")
    server.prepare()
    (waiting,) = children() - {server.pid}
    os.kill(waiting, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, waiting, os.WEXITED | os.WNOWAIT)

    for _ in range(2):
        assert (await ran(server.start, "print(1)"))[1] == "1\n"


async def test_none_waits_when_the_server_has_ended(server: ForkServer) -> None:
    await ran(server.start, "")
    server.prepare()

    server.end()

    assert children() == set()


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_server_that_a_program_ended_or_stopped_is_replaced(server: ForkServer, what: signal.Signals) -> None:
    server.ready()
    before = server.pid

    await ran(server.start, f"import os; os.kill({before}, {int(what)})")
    # This one alone has little time to answer: the next one needs its own to start.
    assert server._control is not None
    patience = server._control.gettimeout()
    assert patience is not None
    server._control.settimeout(patience / 100)

    for _ in range(2):
        assert (await ran(server.start, "print(1)"))[1] == "1\n"
    assert server.pid not in (None, before)


@pytest.mark.skipif(os.getuid() == 0, reason="root may look into any process")
async def test_a_program_cannot_look_into_the_server(server: ForkServer) -> None:
    server.ready()

    ended, said = await ran(server.start, f"open('/proc/{server.pid}/environ', 'rb').read()")

    assert (ended.code, "PermissionError" in said) == (1, True)


async def test_variables_that_are_read_when_a_process_starts_have_their_effect(server: ForkServer) -> None:
    _, told = await ran(server.start, "import time; print(time.tzname[0])", TZ="JST-9")

    assert told == "JST\n"
