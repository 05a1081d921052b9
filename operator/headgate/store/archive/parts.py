"""Statements about parts of the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from headgate.domain.archive import Sized
from headgate.store.archive.choosing import named
from headgate.store.database import Transaction
from headgate.store.records import to_json
from headgate.store.run_changes import present


@dataclass(frozen=True)
class Part:
    """A part as it is recorded."""

    id: UUID
    month: date
    state: str
    ended_before: datetime
    first_run: UUID | None
    last_run: UUID | None
    runs: int | None
    stored_bytes: int | None
    log_bytes: int | None
    files: Mapping[str, Any] | None


_COLUMNS = "id, month, state, ended_before, first_run, last_run, runs, stored_bytes, log_bytes, files"
_BEGIN = f"""
    INSERT INTO headgate.archive_parts (workspace_id, id, month, state, ended_before, created_at)
    VALUES (%(workspace_id)s, %(id)s, %(month)s, 'Writing', %(ended_before)s, %(now)s)
    ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""  # noqa: S608 - constants


async def begin(
    tx: Transaction, workspace_id: UUID, part_id: UUID, month: date, ended_before: datetime, now: datetime
) -> Part | None:
    """Say that a part is written. From here on ended runs of the month do not change. None where another one is."""
    parameters = {"workspace_id": workspace_id, "id": part_id, "month": month, "ended_before": ended_before, "now": now}
    row = await tx.row(_BEGIN, parameters)
    return None if row is None else Part(*row)


async def unused_transaction(tx: Transaction) -> int:
    """The first transaction that there was not yet."""
    return int((await present(tx)).unused)


async def settled_transaction(tx: Transaction) -> int:
    """The oldest transaction under way: what was written before it is there to be seen."""
    return int((await present(tx)).settled)


_ABANDON = """
    DELETE FROM headgate.archive_parts WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = 'Writing'
"""


async def abandon(tx: Transaction, workspace_id: UUID, part_id: UUID) -> None:
    """Say that there was nothing to write."""
    await tx.execute(_ABANDON, {"workspace_id": workspace_id, "id": part_id})


_VERIFIED = """
    UPDATE headgate.archive_parts SET state = 'Verified', verified_at = %(now)s, first_run = %(first)s,
        last_run = %(last)s, runs = %(runs)s, steps = %(steps)s, stored_bytes = %(stored)s, log_bytes = %(logs)s,
        files = CAST(%(files)s AS jsonb)
    WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = 'Writing'
"""


@dataclass(frozen=True)
class Written:
    """What was written of a part, and read back."""

    first: UUID
    last: UUID
    runs: int
    steps: int
    stored: int
    logs: int
    files: Mapping[str, Any]


async def verified(tx: Transaction, workspace_id: UUID, part_id: UUID, written: Written, now: datetime) -> bool:
    """Record what is in the part, once. Whether nobody else had."""
    values = {**vars(written), "files": to_json(written.files)}
    parameters = {"workspace_id": workspace_id, "id": part_id, "now": now, **values}
    return bool(await tx.execute(_VERIFIED, parameters))


_IN_STATE = f"""
    SELECT {_COLUMNS} FROM headgate.archive_parts
    WHERE workspace_id = %(workspace_id)s AND state = ANY (%(states)s) ORDER BY id
"""  # noqa: S608 - constants


async def in_state(tx: Transaction, workspace_id: UUID, *states: str) -> list[Part]:
    """The workspace's parts of these states, the oldest first."""
    parameters = {"workspace_id": workspace_id, "states": list(states)}
    return [Part(*row) for row in await tx.rows(_IN_STATE, parameters)]


_ONE = f"""
    SELECT {_COLUMNS} FROM headgate.archive_parts WHERE workspace_id = %(workspace_id)s AND id = %(id)s
"""  # noqa: S608 - constants


async def one(tx: Transaction, workspace_id: UUID, part_id: UUID) -> Part | None:
    """A part, in whatever state it is."""
    row = await tx.row(_ONE, {"workspace_id": workspace_id, "id": part_id})
    return None if row is None else Part(*row)


_REMOVE = "SELECT headgate.remove_archived(%(part_id)s, CAST(%(runs)s AS uuid[]), CAST(%(times)s AS timestamptz[]))"


async def remove_rows(tx: Transaction, part_id: UUID, runs: Sequence[Sized]) -> int:
    """Delete these runs of a verified part from the history. Returns how many were there."""
    return int(await tx.value(_REMOVE, {"part_id": part_id, **named(runs)}) or 0)


_MOVE = """
    UPDATE headgate.archive_parts SET state = %(after)s
    WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = %(before)s
"""


async def move(tx: Transaction, workspace_id: UUID, part_id: UUID, before: str, after: str) -> bool:
    """Take the part from one state to the next. Whether it was in the first one."""
    parameters = {"workspace_id": workspace_id, "id": part_id, "before": before, "after": after}
    return bool(await tx.execute(_MOVE, parameters))


# What the workspace uses is never less than nothing, whatever was counted before there was an archive.
_GIVE_BACK = """
    WITH used AS MATERIALIZED (
        SELECT storage_bytes FROM headgate.workspace_usage WHERE workspace_id = %(workspace_id)s FOR UPDATE
    )
    SELECT headgate.count_use(%(workspace_id)s, %(today)s, 0, 0, 0,
        -LEAST(CAST(%(bytes)s AS bigint), storage_bytes), NULL)
    FROM used
"""


async def _give_back(tx: Transaction, workspace_id: UUID, size: int, now: datetime) -> None:
    if size:
        await tx.execute(_GIVE_BACK, {"workspace_id": workspace_id, "bytes": size, "today": now.date()})


async def settle(tx: Transaction, workspace_id: UUID, part: Part, now: datetime) -> None:
    """Give back what the part's runs took of the workspace's storage, once their rows are gone; once."""
    if await move(tx, workspace_id, part.id, "Removed", "Settled"):
        await _give_back(tx, workspace_id, part.stored_bytes or 0, now)


_FORGET = """
    DELETE FROM headgate.archive_parts WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = 'Expiring'
"""


async def forget(tx: Transaction, workspace_id: UUID, part: Part, now: datetime) -> None:
    """Record no more that there was such a part, and give back what its logs took; once."""
    if await tx.execute(_FORGET, {"workspace_id": workspace_id, "id": part.id}):
        await _give_back(tx, workspace_id, part.log_bytes or 0, now)


_HOLDING = f"""
    SELECT {_COLUMNS} FROM headgate.archive_parts
    WHERE workspace_id = %(workspace_id)s AND state IN ('Verified', 'Removed', 'Settled')
        AND first_run <= %(last)s AND last_run >= %(first)s
    ORDER BY last_run DESC LIMIT %(limit)s
"""  # noqa: S608 - constants


async def holding(tx: Transaction, workspace_id: UUID, first: UUID, last: UUID, limit: int) -> list[Part]:
    """Parts in which runs with ids from ``first`` to ``last`` may be, those with the newest runs first."""
    parameters = {"workspace_id": workspace_id, "first": first, "last": last, "limit": limit}
    return [Part(*row) for row in await tx.rows(_HOLDING, parameters)]
