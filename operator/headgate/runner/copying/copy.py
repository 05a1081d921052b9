"""A copy: batch after batch, of which each is written before the cursor moves."""

from __future__ import annotations

from typing import Any, Protocol

from headgate.domain.runner_protocol import MARK_CHARACTERS, Mark
from headgate.runner.copying.batches import INVALID, Source, Target
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Redactor


class Cursor(Protocol):
    """Where the cursor is kept. Raises ``NodeFailed`` where it is not this attempt's."""

    async def take(self) -> Mark:
        """How far the copy has come."""
        ...

    async def move(self, mark: Mark, records: int) -> None:
        """It has come that far."""
        ...


async def copy(
    source: Source, target: Target, cursor: Cursor, redactor: Redactor, *, batch: int, max_batches: int
) -> dict[str, Any]:
    """Copy what is new, and return ``{batches, records, more}``. Raises ``NodeFailed``.

    It may end anywhere and be repeated: a batch that was written is written again at most, in place of itself.
    """
    mark = await cursor.take()
    batches, records = 0, 0
    while batches < max_batches:
        read = await source.read(mark.at, batch, mark.until)
        if mark.until is not None and not read.records:
            # What the batch was to hold is gone from the source; what it may have written stays.
            mark = Mark(at=mark.until)
            await cursor.move(mark, 0)
            continue
        if read.mark is None or read.mark == mark.at:
            break
        _check(read.mark, redactor)
        if not read.records:
            # What was there holds nothing that is copied.
            mark = Mark(at=read.mark)
            await cursor.move(mark, 0)
            continue
        if target.by_range and mark.until is None:
            await cursor.move(Mark(at=mark.at, until=read.mark), 0)
        await target.write(read, mark.at)
        mark = Mark(at=read.mark)
        await cursor.move(mark, len(read.records))
        batches, records = batches + 1, records + len(read.records)
    return {"batches": batches, "records": records, "more": batches == max_batches}


def _check(mark: str, redactor: Redactor) -> None:
    if len(mark) > MARK_CHARACTERS:
        raise NodeFailed(INVALID, f"the cursor has more than {MARK_CHARACTERS} characters: choose a shorter one")
    if redactor.text(mark) != mark:
        raise NodeFailed(INVALID, "the cursor would hold the value of a secret: choose another one")
