"""Statements about objects that no noted file names: those that are on their way, and those that are to be deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from headgate.store.database import Transaction

_EXPECT = """
    WITH kept AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, %(bytes)s) AS fits
    ), expected AS (
        INSERT INTO headgate.unnoted_artifacts (workspace_id, path, bytes, due_at, given_up)
        SELECT %(workspace_id)s, %(path)s, %(bytes)s, %(due_at)s, false FROM kept WHERE fits
    )
    SELECT fits FROM kept
"""


async def expect(tx: Transaction, workspace_id: UUID, path: str, size: int, due_at: datetime) -> bool:
    """Count an object that is to come, if there is room for it: whether there is. It is deleted if it stays unnoted."""
    parameters = {"workspace_id": workspace_id, "path": path, "bytes": size, "due_at": due_at}
    return bool(await tx.value(_EXPECT, parameters))


_FORGET = """
    WITH gone AS (
        DELETE FROM headgate.unnoted_artifacts
        WHERE workspace_id = %(workspace_id)s AND path = ANY (%(paths)s) RETURNING bytes
    )
    SELECT headgate.keep_bytes(%(workspace_id)s, -CAST(sum(bytes) AS bigint)) FROM gone HAVING sum(bytes) > 0
"""


async def forget(tx: Transaction, workspace_id: UUID, paths: Sequence[str]) -> None:
    """Forget objects that do not lie there any more, and give back what was counted for them."""
    await tx.execute(_FORGET, {"workspace_id": workspace_id, "paths": list(paths)})


_OWNERS = "SELECT DISTINCT workspace_id FROM headgate.unnoted_artifacts WHERE due_at <= %(now)s"


async def owners(tx: Transaction, now: datetime) -> list[UUID]:
    """Workspaces with objects that are due to be deleted. A system transaction's."""
    return [row.workspace_id for row in await tx.rows(_OWNERS, {"now": now})]


# Locked before it is changed: whoever notes one meanwhile comes before this, or not at all.
_GIVE_UP = """
    WITH chosen AS MATERIALIZED (
        SELECT n.path, n.bytes FROM headgate.unnoted_artifacts n
        WHERE n.workspace_id = %(workspace_id)s AND n.due_at <= %(now)s
            AND NOT EXISTS (
                SELECT FROM headgate.data_retention_policies r
                WHERE r.workspace_id = %(workspace_id)s AND r.legal_hold
            )
        ORDER BY n.due_at LIMIT %(limit)s FOR UPDATE OF n
    ), going AS (
        UPDATE headgate.unnoted_artifacts n SET given_up = true, bytes = 0, due_at = %(again_at)s
        FROM chosen c WHERE n.workspace_id = %(workspace_id)s AND n.path = c.path
    ), freed AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, -CAST(sum(bytes) AS bigint)) FROM chosen HAVING sum(bytes) > 0
    )
    SELECT path FROM chosen WHERE (SELECT count(*) FROM freed) >= 0
"""


async def give_up(tx: Transaction, workspace_id: UUID, now: datetime, again_at: datetime, limit: int) -> list[str]:
    """Have nobody note what is due, and count it no more. Paths of what is to be deleted, and is due again then.

    None under a legal hold.
    """
    parameters = {"workspace_id": workspace_id, "now": now, "again_at": again_at, "limit": limit}
    return [row.path for row in await tx.rows(_GIVE_UP, parameters)]


_LEAVE = """
    WITH chosen AS MATERIALIZED (
        SELECT path, bytes FROM headgate.unnoted_artifacts
        WHERE workspace_id = %(workspace_id)s AND path = ANY (%(paths)s) FOR UPDATE
    ), going AS (
        UPDATE headgate.unnoted_artifacts n SET given_up = true, bytes = 0, due_at = %(due_at)s
        FROM chosen c WHERE n.workspace_id = %(workspace_id)s AND n.path = c.path
    )
    SELECT headgate.keep_bytes(%(workspace_id)s, -CAST(sum(bytes) AS bigint)) FROM chosen HAVING sum(bytes) > 0
"""


async def leave(tx: Transaction, workspace_id: UUID, paths: Sequence[str], due_at: datetime) -> None:
    """Leave objects to the operator, and give back what was counted for them: they could not be deleted."""
    await tx.execute(_LEAVE, {"workspace_id": workspace_id, "paths": list(paths), "due_at": due_at})
