"""A tenant's program is held to its limits from its very beginning, or does not begin."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from headgate.runner.errors import NodeFailed
from headgate.runner.program import Limits, Program, run

FILE_LIMIT = Limits(file_bytes=65_536)
PUT_ON = Limits.put_on


def hear_nothing(_stream: str, _text: str) -> None:
    """What it prints does not matter."""


@pytest.mark.parametrize(
    "source",
    ["head -c 100000 /dev/zero > big", "(sleep 0.1; head -c 100000 /dev/zero > big) & wait $!"],
    ids=["itself", "what it starts first"],
)
async def test_nothing_happens_before_the_limits_are_on(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    def late(limits: Limits, pid: int) -> None:
        time.sleep(0.4)
        PUT_ON(limits, pid)

    monkeypatch.setattr(Limits, "put_on", late)

    ended = await run(Program("shell", source, {}), hear_nothing, 1.0, FILE_LIMIT)

    assert ended.code in (128 + signal.SIGXFSZ, -signal.SIGXFSZ)


async def test_where_limits_cannot_be_put_on_it_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_limits: Limits, _pid: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Limits, "put_on", refused)
    begun = tmp_path / "begun"

    with pytest.raises(NodeFailed) as failure:
        await run(Program("shell", f"touch {begun}", {}), hear_nothing, 1.0, FILE_LIMIT)

    assert failure.value.reason == "ScriptNotStarted"
    assert not begun.exists()


async def test_a_program_reads_nothing_of_what_lets_it_begin() -> None:
    ended = await run(Program("shell", 'test -z "$(cat)"', {}), hear_nothing, 1.0, FILE_LIMIT)

    assert ended.code == 0
