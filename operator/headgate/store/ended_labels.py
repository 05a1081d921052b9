"""Statements that give rows of ``ended_labels`` to runs that ended before there was such a table, or its workflow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.domain.ids import uuid7_time
from headgate.store.database import Transaction
from headgate.store.fragments import compact

ALL = UUID(int=0)
"""Where no run of the workspace is without its rows any more."""
_END = (datetime(9999, 12, 31, tzinfo=UTC), UUID(int=2**128 - 1))

_FROM = "SELECT workflows_from FROM headgate.upkeep_days WHERE workspace_id = %(workspace_id)s"
# Beside writers: of a run that is taken up again meanwhile a wrong row stays, which nobody who reads it believes.
_FILL = compact("""
    WITH looked AS MATERIALIZED (
        SELECT e.started_at, e.id, e.status, e.labels, e.workflow_id FROM headgate.workflow_executions e
        WHERE e.workspace_id = %(workspace_id)s
            AND e.started_at <= %(before_time)s AND (e.started_at, e.id) < (%(before_time)s, %(before_id)s)
        ORDER BY e.started_at DESC, e.id DESC LIMIT %(limit)s
    ), kept AS (
        INSERT INTO headgate.ended_labels AS k (workspace_id, key, value, status, started_at, execution_id, workflow_id)
        SELECT %(workspace_id)s, l.key, l.value, r.status, r.started_at, r.id, r.workflow_id
        FROM looked r CROSS JOIN LATERAL jsonb_each_text(r.labels) l
        WHERE r.status IN ('Succeeded', 'Failed', 'Cancelled')
        ON CONFLICT (workspace_id, key, value, status, started_at, execution_id) DO UPDATE
        SET workflow_id = excluded.workflow_id WHERE k.workflow_id IS NULL
    ), reached AS (
        SELECT CASE WHEN (SELECT count(*) FROM looked) < %(limit)s THEN %(all)s
            ELSE (SELECT r.id FROM looked r ORDER BY r.started_at, r.id LIMIT 1) END AS id
    )
    INSERT INTO headgate.upkeep_days AS u (workspace_id, day, labels_from, workflows_from)
    SELECT %(workspace_id)s, '-infinity', CASE id WHEN %(all)s THEN id END, id FROM reached
    ON CONFLICT (workspace_id) DO UPDATE
    SET workflows_from = excluded.workflows_from, labels_from = coalesce(excluded.labels_from, u.labels_from)
    RETURNING workflows_from
""")


async def fill(tx: Transaction, workspace_id: UUID, limit: int) -> bool:
    """Give their rows to up to ``limit`` runs that may lack them. Returns whether there may be more of these."""
    begun: UUID | None = await tx.value(_FROM, {"workspace_id": workspace_id})
    if begun == ALL:
        return False
    time, run_id = _END if begun is None else (uuid7_time(begun), begun)
    position: dict[str, Any] = {"before_time": time, "before_id": run_id}
    parameters = position | {"workspace_id": workspace_id, "limit": limit, "all": ALL}
    return bool(await tx.value(_FILL, parameters) != ALL)
