"""Waiting for the end of a child, with the kernel's help and without."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from headgate.runner.waiting import ended


class Child(subprocess.Popen[bytes]):
    """A Python program, for which nobody is kept waiting for good."""

    def wait(self, timeout: float | None = 10) -> int:
        return super().wait(timeout)


def child(source: str) -> Child:
    return Child([sys.executable, "-I", "-c", source], stdin=subprocess.PIPE)


@pytest.fixture(params=["a descriptor", "a thread"])
def _means(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_pid: int) -> int:
        raise OSError("no such system call")

    if request.param == "a thread":
        monkeypatch.setattr("os.pidfd_open", unknown)


@pytest.mark.usefixtures("_means")
@pytest.mark.parametrize(
    ("source", "code"), [("", 0), ("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)]
)
async def test_it_gives_the_exit_code(source: str, code: int) -> None:
    with child(source) as process:
        assert await ended(process) == code


@pytest.mark.usefixtures("_means")
async def test_it_does_not_return_before_the_end() -> None:
    with child("input()") as process:
        waiting = asyncio.ensure_future(ended(process))
        await asyncio.sleep(0)
        assert not waiting.done()

        assert process.stdin is not None
        process.stdin.close()

        assert await waiting == 1


async def test_one_that_is_over_before_it_is_waited_for_has_its_code_too() -> None:
    with child("") as process:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert await ended(process) == 0


async def test_who_gives_up_waiting_leaves_nothing_open() -> None:
    with child("input()") as process:
        waiting = asyncio.ensure_future(ended(process))
        await asyncio.sleep(0)

        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        process.kill()
        assert await ended(process) == -9
