"""Statements about what changed in runs. Triggers note it; here it is read and forgotten."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from headgate.domain.change_position import Position
from headgate.store.database import Transaction
from headgate.store.fragments import compact

# Below the oldest transaction under way nothing appears any more: all that is told of such a snapshot is settled.
_SNAPSHOT = """
    SELECT CAST(CAST(pg_snapshot_xmin(s) AS text) AS bigint) AS settled,
        CAST(CAST(pg_snapshot_xmax(s) AS text) AS bigint) AS unused,
        CAST(floor(extract(epoch FROM clock_timestamp())) AS bigint) AS now
    FROM pg_current_snapshot() s
"""
_OF_RUN = "AND c.execution_id = %(run_id)s"


async def present(tx: Transaction) -> Any:
    """Up to where all is settled, the first transaction that there was not yet, and the server's time in seconds."""
    return await tx.one(_SNAPSHOT)


def _since(of_run: str) -> str:
    return compact(f"""
        WITH snapshot AS MATERIALIZED ({_SNAPSHOT})
        SELECT s.settled, s.unused, s.now, f.* FROM snapshot s LEFT JOIN LATERAL (
            SELECT c.transaction_id, c.number, c.execution_id, c.node, c.attempt, c.phase, c.reason, c.log_kept,
                c.changed_at
            FROM headgate.run_changes c
            WHERE c.workspace_id = %(workspace_id)s {of_run} AND c.transaction_id < s.settled
                AND c.transaction_id >= %(transaction)s
                AND (c.transaction_id, c.number) > (%(transaction)s, %(number)s)
            ORDER BY c.transaction_id, c.number LIMIT %(limit)s
        ) f ON true
        ORDER BY f.transaction_id, f.number
    """)  # noqa: S608 - constants


_SINCE, _SINCE_OF_RUN = _since(""), _since(_OF_RUN)


async def since(tx: Transaction, workspace_id: UUID, position: Position, run_id: UUID | None, limit: int) -> list[Any]:
    """What ``present`` tells, with each of the next changes behind the position; alone where there is none."""
    parameters = {
        "workspace_id": workspace_id,
        "run_id": run_id,
        "transaction": position.transaction,
        "number": position.number,
        "limit": limit,
    }
    return await tx.rows(_SINCE if run_id is None else _SINCE_OF_RUN, parameters)


_NEWS = compact(f"""
    WITH snapshot AS MATERIALIZED ({_SNAPSHOT})
    SELECT s.settled, ARRAY(
        SELECT w.id FROM unnest(CAST(%(workspaces)s AS uuid[])) w (id) WHERE EXISTS (
            SELECT FROM headgate.run_changes c
            WHERE c.workspace_id = w.id AND c.transaction_id >= %(transaction)s AND c.transaction_id < s.settled
        )
    ) AS changed
    FROM snapshot s
""")  # noqa: S608 - constants


async def news(tx: Transaction, workspaces: Collection[UUID], transaction: int) -> Any:
    """Which of the workspaces have changes of that transaction or later, and up to where. A system transaction's."""
    return await tx.one(_NEWS, {"workspaces": list(workspaces), "transaction": transaction})


_FORGET = compact("""
    DELETE FROM headgate.run_changes c USING (
        SELECT DISTINCT workspace_id, transaction_id FROM (
            SELECT workspace_id, transaction_id FROM headgate.run_changes
            WHERE changed_at < clock_timestamp() - CAST(%(age)s AS interval) LIMIT %(limit)s
        ) aged
    ) old
    WHERE c.workspace_id = old.workspace_id AND c.transaction_id = old.transaction_id
""")


async def forget(tx: Transaction, age: timedelta, limit: int) -> int:
    """Delete about ``limit`` changes that are older, and return how many that were. A system transaction's."""
    return await tx.execute(_FORGET, {"age": age, "limit": limit})
