"""Statements about parts of archived audit logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import to_json


@dataclass(frozen=True)
class AuditPart:
    """A part as it is recorded."""

    id: UUID
    month: date
    state: str
    entries_before: datetime
    first_sequence: int | None
    last_sequence: int | None
    hash: bytes | None
    files: Mapping[str, Any] | None


_COLUMNS = "id, month, state, entries_before, first_sequence, last_sequence, hash, files"
_BEGIN = f"""
    INSERT INTO headgate.audit_parts (workspace_id, id, month, state, entries_before, created_at)
    VALUES (%(workspace_id)s, %(id)s, %(month)s, 'Writing', %(before)s, %(now)s)
    ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""  # noqa: S608 - constants


async def begin(
    tx: Transaction, workspace_id: UUID, part_id: UUID, month: date, before: datetime, now: datetime
) -> AuditPart | None:
    """Say that a part is written. None where another one is."""
    parameters = {"workspace_id": workspace_id, "id": part_id, "month": month, "before": before, "now": now}
    row = await tx.row(_BEGIN, parameters)
    return None if row is None else AuditPart(*row)


_ABANDON = """
    DELETE FROM headgate.audit_parts WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = 'Writing'
"""


async def abandon(tx: Transaction, workspace_id: UUID, part_id: UUID) -> None:
    """Say that there was nothing to write."""
    await tx.execute(_ABANDON, {"workspace_id": workspace_id, "id": part_id})


@dataclass(frozen=True)
class WrittenEntries:
    """What was written of a part, and read back."""

    first: int
    last: int
    hash: bytes
    first_at: datetime
    last_at: datetime
    files: Mapping[str, Any]


_VERIFIED = """
    UPDATE headgate.audit_parts SET state = 'Verified', verified_at = %(now)s, first_sequence = %(first)s,
        last_sequence = %(last)s, hash = %(hash)s, first_at = %(first_at)s, last_at = %(last_at)s,
        files = CAST(%(files)s AS jsonb)
    WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = 'Writing'
"""


async def verified(tx: Transaction, workspace_id: UUID, part_id: UUID, written: WrittenEntries, now: datetime) -> bool:
    """Record what is in the part, once. Whether nobody else had."""
    values = {**vars(written), "files": to_json(written.files)}
    return bool(await tx.execute(_VERIFIED, {"workspace_id": workspace_id, "id": part_id, "now": now, **values}))


_IN_STATE = f"""
    SELECT {_COLUMNS} FROM headgate.audit_parts
    WHERE workspace_id = %(workspace_id)s AND state = ANY (%(states)s) ORDER BY first_sequence, id
"""  # noqa: S608 - constants


async def in_state(tx: Transaction, workspace_id: UUID, *states: str) -> list[AuditPart]:
    """The workspace's parts of these states, in the order of their entries."""
    parameters = {"workspace_id": workspace_id, "states": list(states)}
    return [AuditPart(*row) for row in await tx.rows(_IN_STATE, parameters)]


_ONE = f"""
    SELECT {_COLUMNS} FROM headgate.audit_parts WHERE workspace_id = %(workspace_id)s AND id = %(id)s
"""  # noqa: S608 - constants


async def one(tx: Transaction, workspace_id: UUID, part_id: UUID) -> AuditPart | None:
    """A part, in whatever state it is."""
    row = await tx.row(_ONE, {"workspace_id": workspace_id, "id": part_id})
    return None if row is None else AuditPart(*row)


_MOVE = """
    UPDATE headgate.audit_parts SET state = %(after)s
    WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = %(before)s
"""


async def move(tx: Transaction, workspace_id: UUID, part_id: UUID, before: str, after: str) -> bool:
    """Take the part from one state to the next. Whether it was in the first one."""
    parameters = {"workspace_id": workspace_id, "id": part_id, "before": before, "after": after}
    return bool(await tx.execute(_MOVE, parameters))


_FORGET = """
    DELETE FROM headgate.audit_parts WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND state = 'Expiring'
"""


async def forget(tx: Transaction, workspace_id: UUID, part_id: UUID) -> None:
    """Record no more that there was such a part."""
    await tx.execute(_FORGET, {"workspace_id": workspace_id, "id": part_id})


# Of a verified part the rows are still in the log.
_HOLDING = f"""
    SELECT {_COLUMNS} FROM headgate.audit_parts
    WHERE workspace_id = %(workspace_id)s AND state = 'Removed' AND first_sequence < %(before)s
        AND (CAST(%(since)s AS timestamptz) IS NULL OR last_at >= %(since)s)
        AND (CAST(%(until)s AS timestamptz) IS NULL OR first_at < %(until)s)
    ORDER BY first_sequence DESC LIMIT %(limit)s
"""  # noqa: S608 - constants


async def holding(
    tx: Transaction, workspace_id: UUID, before: int, since: datetime | None, until: datetime | None, limit: int
) -> list[AuditPart]:
    """Parts with entries before that number, and of that time, that are nowhere else; the newest first."""
    parameters = {"workspace_id": workspace_id, "before": before, "since": since, "until": until, "limit": limit}
    return [AuditPart(*row) for row in await tx.rows(_HOLDING, parameters)]
