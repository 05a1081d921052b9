"""The order in which a copy reads, writes and moves its cursor."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from headgate.domain.runner_protocol import MARK_CHARACTERS, Mark
from headgate.runner.copying.batches import Batch, marked
from headgate.runner.copying.copy import copy
from headgate.runner.copying.to_s3 import JsonLines
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Redactor


@dataclass
class Numbers:
    """A source of numbers, of which the odd ones hold nothing that is copied."""

    last: int

    async def read(self, after: str | None, limit: int, until: str | None = None) -> Batch:
        first = int(after or 0) + 1
        end = min(self.last, int(until) if until is not None else first + limit - 1)
        records = tuple(str(number) for number in range(first, end + 1) if number % 2 == 0)
        return Batch(records, str(end) if end >= first else None)


@dataclass
class Told:
    """A target and a cursor that tell in which order they were asked."""

    by_range: bool = False
    mark: Mark = field(default_factory=Mark)
    told: list[str] = field(default_factory=list)

    async def write(self, batch: Batch, after: str | None) -> None:
        self.told.append(f"write {after}..{batch.mark}")

    async def take(self) -> Mark:
        return self.mark

    async def move(self, mark: Mark, records: int) -> None:
        self.mark = mark
        self.told.append(f"move {mark.at} {mark.until} {records}")


async def copied(last: int, told: Told, *, batch: int = 2, most: int = 100) -> dict[str, int]:
    return await copy(Numbers(last), told, told, Redactor(["9999"]), batch=batch, max_batches=most)


async def test_the_cursor_moves_when_a_batch_is_written() -> None:
    told = Told()

    assert await copied(4, told) == {"batches": 2, "records": 2, "more": False}
    assert told.told == ["write None..2", "move 2 None 1", "write 2..4", "move 4 None 1"]


async def test_where_a_batch_must_be_the_same_again_its_end_is_told_before() -> None:
    told = Told(by_range=True)

    await copied(2, told)

    assert told.told == ["move None 2 0", "write None..2", "move 2 None 1"]


async def test_a_batch_whose_end_was_told_is_written_up_to_there() -> None:
    told = Told(by_range=True, mark=Mark(at="2", until="4"))

    await copied(10, told, batch=100)

    assert told.told[:2] == ["write 2..4", "move 4 None 1"]


async def test_what_holds_nothing_is_passed_and_not_written() -> None:
    told = Told()

    assert await copied(3, told, batch=1) == {"batches": 1, "records": 1, "more": False}
    assert told.told == ["move 1 None 0", "write 1..2", "move 2 None 1", "move 3 None 0"]


async def test_a_batch_whose_records_are_gone_is_passed() -> None:
    told = Told(by_range=True, mark=Mark(at="2", until="3"))

    await copied(3, told)

    assert told.told == ["move 3 None 0"]


async def test_one_run_copies_so_many_batches_at_most() -> None:
    assert await copied(10, Told(), most=2) == {"batches": 2, "records": 2, "more": True}


@pytest.mark.parametrize(
    ("mark", "says"),
    [("1 9999 1", "would hold the value of a secret"), ("1" * (MARK_CHARACTERS + 1), "choose a shorter one")],
)
async def test_a_cursor_that_cannot_be_kept_is_refused(mark: str, says: str) -> None:
    class Far:
        async def read(self, after: str | None, limit: int, until: str | None = None) -> Batch:
            return Batch(("{}",), mark)

    told = Told()

    with pytest.raises(NodeFailed, match=says):
        await copy(Far(), told, told, Redactor(["9999"]), batch=1, max_batches=1)

    assert told.told == []


async def test_objects_are_named_by_their_range_and_differ_where_it_does() -> None:
    written: dict[str, bytes] = {}

    class Objects:
        async def put(self, key: str, content: bytes, _content_type: str) -> None:
            written[key] = content

    lines = JsonLines(Objects(), "raw")  # type: ignore[arg-type]
    await lines.write(Batch(('{"a":\n1}',), marked(["2026-03-10 12:00:00+00", "7"])), None)
    await lines.write(Batch(("{}",), marked({"0": 5, "1": 2})), marked(["a/../b", "7"]))
    await lines.write(Batch(("{}",), marked({"0": 5, "1": 2})), marked(["a-b", "7"]))

    first, second, third = written
    assert first.startswith("raw/beginning..2026-03-10-12-00-00-00_7-")
    assert second.startswith("raw/a-b_7-")
    assert third.startswith("raw/a-b_7-")
    assert len({first, second, third}) == 3
    assert all(name.count("/") == 1 for name in written)
    assert written[first] == b'{"a": 1}\n'
