"""Statements about files that attempts leave. Whoever writes holds the run's lock, and the attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headgate.store.database import Transaction
from headgate.store.records import RunKey

_OF_ATTEMPT = """workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
    AND node = %(node)s AND attempt = %(attempt)s"""

_FORGET = f"""
    WITH gone AS (
        DELETE FROM headgate.run_artifacts WHERE {_OF_ATTEMPT} RETURNING path, bytes
    ), freed AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, -CAST(sum(bytes) AS bigint)) FROM gone HAVING count(*) > 0
    ), going AS (
        INSERT INTO headgate.unnoted_artifacts (workspace_id, path, bytes, due_at, given_up)
        SELECT %(workspace_id)s, path, 0, %(due_at)s, true FROM gone
    )
    SELECT path FROM gone WHERE (SELECT count(*) FROM freed) >= 0
"""  # noqa: S608 - constants


async def forget(tx: Transaction, key: RunKey, node: str, attempt: int, due_at: datetime) -> list[str]:
    """Forget all files of the attempt, and give back what they took. Where they lie: they are to be deleted."""
    parameters = {"node": node, "attempt": attempt, "due_at": due_at}
    return [row.path for row in await tx.rows(_FORGET, key.parameters() | parameters)]


@dataclass(frozen=True)
class NewFile:
    """A file as it was sent."""

    name: str
    size: int
    sha256: str
    content_type: str
    path: str


@dataclass(frozen=True)
class Noted:
    """What became of it."""

    kept: bool
    """Whether it is noted: it was expected, and the attempt has not too many files."""
    others: int
    """Other files of the attempt."""
    replaced: str | None
    """Where the one lies whose place it took, and which is to be deleted."""


# What is counted for the one that was expected is counted for the one that is noted.
_RECORD = f"""
    WITH before AS MATERIALIZED (
        SELECT bytes, path FROM headgate.run_artifacts WHERE {_OF_ATTEMPT} AND name = %(name)s
    ), others AS MATERIALIZED (
        SELECT count(*) AS files FROM headgate.run_artifacts WHERE {_OF_ATTEMPT} AND name <> %(name)s
    ), come AS (
        DELETE FROM headgate.unnoted_artifacts
        WHERE workspace_id = %(workspace_id)s AND path = %(path)s AND NOT given_up
            AND (SELECT files FROM others) < %(most)s
        RETURNING path
    ), noted AS (
        INSERT INTO headgate.run_artifacts AS a (workspace_id, started_at, execution_id, node, attempt, name, bytes,
            sha256, content_type, path, created_at)
        SELECT %(workspace_id)s, %(started_at)s, %(run_id)s, %(node)s, %(attempt)s, %(name)s, %(bytes)s, %(sha256)s,
            %(content_type)s, %(path)s, %(now)s
        FROM come
        ON CONFLICT (workspace_id, started_at, execution_id, node, attempt, name) DO UPDATE
        SET bytes = excluded.bytes, sha256 = excluded.sha256, content_type = excluded.content_type,
            path = excluded.path, created_at = excluded.created_at
    ), going AS (
        INSERT INTO headgate.unnoted_artifacts (workspace_id, path, bytes, due_at, given_up)
        SELECT %(workspace_id)s, b.path, 0, %(due_at)s, true FROM before b CROSS JOIN come
    ), freed AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, -b.bytes) FROM before b CROSS JOIN come WHERE b.bytes > 0
    )
    SELECT EXISTS (SELECT FROM come) AS kept, (SELECT files FROM others) AS others,
        (SELECT path FROM before) AS replaced, (SELECT count(*) FROM freed) AS freed
"""  # noqa: S608 - constants


async def record(
    tx: Transaction, key: RunKey, node: str, attempt: int, file: NewFile, *, most: int, now: datetime, due_at: datetime
) -> Noted:
    """Note a file of the attempt that was expected, one of ``most``, in place of the one of its name."""
    parameters = {
        "node": node,
        "attempt": attempt,
        "name": file.name,
        "bytes": file.size,
        "sha256": file.sha256,
        "content_type": file.content_type,
        "path": file.path,
        "most": most,
        "now": now,
        "due_at": due_at,
    }
    row = await tx.one(_RECORD, key.parameters() | parameters)
    return Noted(row.kept, row.others, row.replaced)


_SHOWN = "node, attempt, name, bytes, sha256, content_type, path, created_at"
_PAGE = f"""
    SELECT {_SHOWN} FROM headgate.run_artifacts
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
        AND (node, attempt, name) > (%(node)s, %(attempt)s, %(name)s)
    ORDER BY node, attempt, name LIMIT %(limit)s
"""  # noqa: S608 - constants


async def page(tx: Transaction, key: RunKey, after: tuple[str, int, str], limit: int) -> list[Any]:
    """Up to ``limit`` files of the run behind that node, attempt and name, in this order."""
    node, attempt, name = after
    parameters = {"node": node, "attempt": attempt, "name": name, "limit": limit}
    return await tx.rows(_PAGE, key.parameters() | parameters)


_ONE = f"""
    SELECT {_SHOWN} FROM headgate.run_artifacts
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
        AND node = %(node)s AND name = %(name)s
        AND (CAST(%(attempt)s AS integer) IS NULL OR attempt = %(attempt)s)
    ORDER BY attempt DESC LIMIT 1
"""  # noqa: S608 - constants


async def one(tx: Transaction, key: RunKey, node: str, name: str, attempt: int | None) -> Any | None:
    """The file of that name of the node's attempt, of the latest that left one unless one is named."""
    return await tx.row(_ONE, key.parameters() | {"node": node, "name": name, "attempt": attempt})
