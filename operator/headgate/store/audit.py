"""Statements about audit logs, and what is signed of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.audit import Act, Checkpoint, Entry, Round
from headgate.domain.audit_chain import Head
from headgate.store.database import Transaction
from headgate.store.fragments import ONE, SEVERAL, Source
from headgate.store.joint import Joint, columns

_WRITTEN = ("actor_kind", "actor_name", "actor_via", "action", "object", "outcome")


def _append(source: Source) -> str:
    return f"""
    INSERT INTO headgate.audit_log (workspace_id, at, {", ".join(_WRITTEN)}, detail)
    SELECT %(workspace_id)s, {source["at"]}, {", ".join(source[name] for name in _WRITTEN)},
        CAST({source["detail"]} AS json)
"""


_APPEND = Joint(
    40,
    f"WITH added AS ({_append(ONE)}) SELECT 0 AS number",
    f"""
    WITH {columns(at="timestamptz", **dict.fromkeys(_WRITTEN, "text"), detail="text")}, added AS (
        {_append(SEVERAL)} FROM asked a ORDER BY a.number
    )
    SELECT a.number FROM asked a
""",  # noqa: S608 - constants
)


async def append(tx: Transaction, workspace_id: UUID, at: datetime, act: Act) -> None:
    """Add an entry. Call it last: until the transaction ends, others of the workspace that add entries wait."""
    await tx.joint(_APPEND, {"workspace_id": workspace_id, "at": at} | act.columns())


_COLUMNS = """sequence, at, actor_kind, actor_name, actor_via, action, object, outcome, detail::text AS detail,
    previous_hash, hash"""


@dataclass(frozen=True)
class Filters:
    """Which entries are looked for; None for any."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None

    def fit(self, entry: Entry) -> bool:
        """Whether that is one that is looked for, as ``page`` has it."""
        return (
            (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
            and self.actor in (None, entry.actor_name)
            and self.action in (None, entry.action)
        )


# By number and not by time: entries are in the order of their numbers, also where clocks differ.
_PAGE = f"""
    SELECT {_COLUMNS} FROM headgate.audit_log
    WHERE workspace_id = %(workspace_id)s AND sequence < %(before)s
        AND (CAST(%(since)s AS timestamptz) IS NULL OR at >= %(since)s)
        AND (CAST(%(until)s AS timestamptz) IS NULL OR at < %(until)s)
        AND (CAST(%(actor)s AS text) IS NULL OR actor_name = %(actor)s)
        AND (CAST(%(action)s AS text) IS NULL OR action = %(action)s)
    ORDER BY sequence DESC LIMIT %(limit)s
"""  # noqa: S608 - constants


async def page(tx: Transaction, workspace_id: UUID, filters: Filters, before: int, limit: int) -> list[Entry]:
    """Up to ``limit`` entries with smaller numbers than ``before``, the newest first."""
    parameters = {"workspace_id": workspace_id, "before": before, "limit": limit}
    return [_entry(workspace_id, row) for row in await tx.rows(_PAGE, parameters | vars(filters))]


_FROM = f"""
    SELECT {_COLUMNS} FROM headgate.audit_log
    WHERE workspace_id = %(workspace_id)s AND sequence > %(after)s AND sequence <= %(last)s
    ORDER BY sequence LIMIT %(limit)s
"""  # noqa: S608 - constants


async def entries(tx: Transaction, workspace_id: UUID, after: int, last: int, limit: int) -> list[Entry]:
    """Up to ``limit`` entries in order, after one number and up to another one."""
    parameters = {"workspace_id": workspace_id, "after": after, "last": last, "limit": limit}
    return [_entry(workspace_id, row) for row in await tx.rows(_FROM, parameters)]


_HEAD = "SELECT sequence, hash FROM headgate.audit_heads WHERE workspace_id = %(workspace_id)s"


async def head(tx: Transaction, workspace_id: UUID) -> Head | None:
    """The newest entry of the workspace, or None where it has no log."""
    row = await tx.row(_HEAD, {"workspace_id": workspace_id})
    return None if row is None else Head(row.sequence, bytes(row.hash))


_CHECKPOINTS = """
    SELECT workspace_id, sequence, hash, at, round, signing_key, signature FROM headgate.audit_checkpoints
    WHERE workspace_id = %(workspace_id)s ORDER BY sequence
"""


async def checkpoints(tx: Transaction, workspace_id: UUID) -> list[Checkpoint]:
    """What was signed of the workspace's log, in order."""
    return [_checkpoint(row) for row in await tx.rows(_CHECKPOINTS, {"workspace_id": workspace_id})]


_CHECKPOINTS_OF = """
    SELECT workspace_id, sequence, hash, at, round, signing_key, signature FROM headgate.audit_checkpoints
    WHERE workspace_id = %(workspace_id)s AND sequence >= %(first)s AND sequence <= (
        SELECT min(sequence) FROM headgate.audit_checkpoints
        WHERE workspace_id = %(workspace_id)s AND sequence >= %(last)s
    )
    ORDER BY sequence
"""


async def checkpoints_of(tx: Transaction, workspace_id: UUID, first: int, last: int) -> list[Checkpoint]:
    """What was signed of these entries, in order, and what stands for the last of them; nothing where that is not."""
    parameters = {"workspace_id": workspace_id, "first": first, "last": last}
    return [_checkpoint(row) for row in await tx.rows(_CHECKPOINTS_OF, parameters)]


_UNSIGNED = """
    SELECT workspace_id, sequence, hash FROM headgate.audit_heads WHERE sequence > signed_sequence
    ORDER BY workspace_id LIMIT %(limit)s
"""


async def unsigned(tx: Transaction, limit: int) -> list[tuple[UUID, int, bytes]]:
    """Heads that have no checkpoint yet, in all workspaces. A system transaction's."""
    rows = await tx.rows(_UNSIGNED, {"limit": limit})
    return [(row.workspace_id, row.sequence, bytes(row.hash)) for row in rows]


_ROUNDS = """
    SELECT number, at, previous, digest, signing_key, signature FROM headgate.audit_rounds
    WHERE number > %(after)s ORDER BY number LIMIT %(limit)s
"""


async def rounds(tx: Transaction, after: int, limit: int) -> list[Round]:
    """Rounds in order, after that number. A system transaction's."""
    return [_round(row) for row in await tx.rows(_ROUNDS, {"after": after, "limit": limit})]


_LAST_ROUND = """
    SELECT number, at, previous, digest, signing_key, signature FROM headgate.audit_rounds
    ORDER BY number DESC LIMIT 1
"""


async def last_round(tx: Transaction) -> Round | None:
    """The newest round. A system transaction's."""
    row = await tx.row(_LAST_ROUND)
    return None if row is None else _round(row)


_OF_ROUNDS = """
    SELECT workspace_id, sequence, hash, round FROM headgate.audit_checkpoints
    WHERE round >= %(first)s AND round <= %(last)s
"""


async def heads_of_rounds(tx: Transaction, first: int, last: int) -> dict[int, list[tuple[UUID, int, bytes]]]:
    """What was signed in those rounds. A system transaction's."""
    found: dict[int, list[tuple[UUID, int, bytes]]] = {}
    for row in await tx.rows(_OF_ROUNDS, {"first": first, "last": last}):
        found.setdefault(row.round, []).append((row.workspace_id, row.sequence, bytes(row.hash)))
    return found


_NEWEST_ROUND_OF_CHECKPOINTS = "SELECT coalesce(max(round), 0) FROM headgate.audit_checkpoints"


async def newest_round_of_checkpoints(tx: Transaction) -> int:
    """The greatest number of a round that checkpoints name. A system transaction's."""
    return int(await tx.value(_NEWEST_ROUND_OF_CHECKPOINTS) or 0)


_SIGN = """
    WITH signed AS (
        INSERT INTO headgate.audit_checkpoints (workspace_id, sequence, hash, at, round, signing_key, signature)
        SELECT workspace_id, sequence, hash, %(at)s, %(number)s, %(signing_key)s, signature
        FROM unnest(CAST(%(workspaces)s AS uuid[]), CAST(%(sequences)s AS bigint[]), CAST(%(hashes)s AS bytea[]),
            CAST(%(signatures)s AS bytea[])) AS s (workspace_id, sequence, hash, signature)
        RETURNING workspace_id, sequence
    ), marked AS (
        UPDATE headgate.audit_heads h SET signed_sequence = s.sequence FROM signed s
        WHERE h.workspace_id = s.workspace_id
    )
    INSERT INTO headgate.audit_rounds (number, at, previous, digest, signing_key, signature)
    VALUES (%(number)s, %(at)s, %(previous)s, %(digest)s, %(signing_key)s, %(signature)s)
"""


async def sign(tx: Transaction, made: Round, signed: Sequence[Checkpoint]) -> None:
    """Keep a round and its checkpoints. A system transaction's."""
    parameters = vars(made) | {
        "workspaces": [each.workspace_id for each in signed],
        "sequences": [each.sequence for each in signed],
        "hashes": [each.hash for each in signed],
        "signatures": [each.signature for each in signed],
    }
    await tx.execute(_SIGN, parameters)


_WORKSPACES = "SELECT id, name FROM headgate.workspaces WHERE id > %(after)s ORDER BY id LIMIT %(limit)s"


async def workspaces(tx: Transaction, after: UUID, limit: int) -> list[tuple[UUID, str]]:
    """All workspaces, retired ones too, by id. A system transaction's."""
    return [(row.id, row.name) for row in await tx.rows(_WORKSPACES, {"after": after, "limit": limit})]


def _entry(workspace_id: UUID, row: Any) -> Entry:
    return Entry(
        workspace_id,
        row.sequence,
        row.at,
        row.actor_kind,
        row.actor_name,
        row.actor_via,
        row.action,
        row.object,
        row.outcome,
        row.detail,
        bytes(row.previous_hash),
        bytes(row.hash),
    )


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(
        row.workspace_id, row.sequence, bytes(row.hash), row.at, row.round, row.signing_key, bytes(row.signature)
    )


def _round(row: Any) -> Round:
    return Round(row.number, row.at, bytes(row.previous), bytes(row.digest), row.signing_key, bytes(row.signature))
