"""Files in the scripts' container, of which its host gives pieces; what it says is not believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from headgate.runner import script_line
from headgate.runner.errors import NodeFailed
from headgate.runner.left import Left
from headgate.runner.left_there import LeftThere
from tests.support.waiting import eventually


@dataclass
class Line:
    """What the runner says to the host."""

    said: list[dict[str, Any]] = field(default_factory=list)

    def write(self, line: bytes) -> None:
        self.said.append(json.loads(line))


class Kept:
    """Keeps what it is given."""

    def __init__(self, tries: int = 1) -> None:
        self.files: dict[str, bytes] = {}
        self.tries = tries

    async def __call__(self, files: Sequence[Left]) -> None:
        for file in files:
            for _ in range(self.tries - 1):
                # The gateway was away after the first piece had been asked for.
                asking = asyncio.ensure_future(anext(aiter(file.pieces())))
                await asyncio.sleep(0)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            self.files[file.name] = b"".join([piece async for piece in file.pieces()])


def files_of(line: Line, keep: Any) -> LeftThere:
    return LeftThere(cast("asyncio.StreamWriter", line), keep)


def told(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)
    return found


async def said(line: Line, count: int) -> list[dict[str, Any]]:
    """What the runner said, once it has said so much."""

    async def enough() -> bool:
        return len(line.said) >= count

    await eventually(enough, within=5, every=0.001)
    return line.said


async def test_pieces_are_asked_for_until_it_is_whole_and_then_it_is_kept() -> None:
    line, kept = Line(), Kept()
    files = files_of(line, kept)

    files.told([{"name": "a", "size": 5}, {"name": "empty", "size": 0}])
    await said(line, 1)
    files.given(told(script_line.piece(0, 0, b"123")))
    await said(line, 2)
    files.given(told(script_line.piece(0, 3, b"45")))

    words = [(one["say"], one.get("at")) for one in await said(line, 3)]
    assert words == [("read", 0), ("read", 3), ("kept", None)]
    assert kept.files == {"a": b"12345", "empty": b""}


async def test_a_piece_of_a_request_that_broke_off_is_not_taken_for_another() -> None:
    line, kept = Line(), Kept(tries=2)
    files = files_of(line, kept)

    files.told([{"name": "a", "size": 4}])
    await said(line, 2)
    files.given(told(script_line.piece(0, 0, b"12")))
    await said(line, 3)
    # The answer to what was asked first comes once more.
    files.given(told(script_line.piece(0, 0, b"12")))
    files.given(told(script_line.piece(0, 2, b"34")))

    assert (await said(line, 4))[-1]["say"] == "kept"
    assert kept.files == {"a": b"1234"}


@pytest.mark.parametrize(
    "claimed",
    [
        [{"name": "../a", "size": 1}],
        [{"name": "a", "size": -1}],
        [{"name": "a"}],
        [{"name": 7, "size": 1}],
        ["a"],
        [{"name": f"f{number}", "size": 1} for number in range(21)],
    ],
)
async def test_what_the_host_tells_is_held_to_the_same_form(claimed: Any) -> None:
    line, kept = Line(), Kept()
    files = files_of(line, kept)

    files.told(claimed)

    assert [one["say"] for one in await said(line, 1)] == ["stop"]
    assert (kept.files, files.failure is not None) == ({}, True)


@pytest.mark.parametrize("piece", [b"", b"123456"])
async def test_more_or_less_than_was_told_is_a_failure(piece: bytes) -> None:
    line, kept = Line(), Kept()
    files = files_of(line, kept)

    files.told([{"name": "a", "size": 5}])
    await said(line, 1)
    files.given(told(script_line.piece(0, 0, piece)))

    assert (await said(line, 2))[-1]["say"] == "stop"
    assert isinstance(files.failure, NodeFailed)
    assert "was changed" in files.failure.message


async def test_what_is_no_piece_is_a_failure() -> None:
    line, kept = Line(), Kept()
    files = files_of(line, kept)

    files.told([{"name": "a", "size": 5}])
    await said(line, 1)
    files.given({"say": "piece", "file": 0, "at": 0, "content": "%"})

    assert (await said(line, 2))[-1]["say"] == "stop"


async def test_nothing_is_said_any_more_when_the_script_has_ended_otherwise() -> None:
    line, kept = Line(), Kept()
    files = files_of(line, kept)
    files.told([{"name": "a", "size": 5}])
    await said(line, 1)

    files.end()
    await asyncio.sleep(0)
    files.given(told(script_line.piece(0, 0, b"12345")))
    await asyncio.sleep(0)

    assert (len(line.said), kept.files) == (1, {})
