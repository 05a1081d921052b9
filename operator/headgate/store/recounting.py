"""Statements that count anew what a workspace keeps, by its rows. All are of one snapshot, or lock the turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.fragments import compact

_TURN = """
    SELECT pg_try_advisory_xact_lock(hashtextextended('headgate.recount ' || CAST(%(workspace_id)s AS text), 0))
"""


async def take_turn(tx: Transaction, workspace_id: UUID) -> bool:
    """Whether nobody else counts the workspace; nobody does until this transaction ends. Again it says the same."""
    return bool(await tx.value(_TURN, {"workspace_id": workspace_id}))


@dataclass(frozen=True)
class Place:
    """How far runs have been counted."""

    started_at: datetime
    run_id: UUID


BEGIN = Place(datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))
"""Before all runs."""


# What a run was given counts from when it starts, or ends without having started.
_RUNS = compact("""
    WITH page AS MATERIALIZED (
        SELECT e.started_at, e.id, headgate.json_bytes(e.outputs)
            + CASE WHEN e.finished_at IS NOT NULL OR e.running_since IS NOT NULL OR e.retries > 0 THEN
                headgate.json_bytes(e.inputs) + headgate.json_bytes(e.event) + headgate.json_bytes(e.options)
            ELSE 0 END AS bytes
        FROM headgate.workflow_executions e
        WHERE e.workspace_id = %(workspace_id)s AND e.started_at >= %(started_at)s
            AND (e.started_at, e.id) > (%(started_at)s, %(run_id)s)
        ORDER BY e.started_at, e.id LIMIT %(limit)s
    ), attempts AS MATERIALIZED (
        SELECT CAST(coalesce(sum(s.bytes), 0) AS bigint) AS bytes FROM page p CROSS JOIN LATERAL (
            SELECT sum(headgate.json_bytes(s.output) + coalesce(s.log_bytes, 0)) AS bytes
            FROM headgate.workflow_execution_steps s
            WHERE s.workspace_id = %(workspace_id)s AND s.started_at = p.started_at AND s.execution_id = p.id
        ) s
    ), left_files AS MATERIALIZED (
        SELECT CAST(coalesce(sum(f.bytes), 0) AS bigint) AS bytes FROM page p CROSS JOIN LATERAL (
            SELECT sum(x.bytes) AS bytes FROM headgate.run_artifacts x
            WHERE x.workspace_id = %(workspace_id)s AND x.started_at = p.started_at AND x.execution_id = p.id
        ) f
    ), total AS (
        SELECT count(*) AS runs, CAST(coalesce(sum(bytes), 0) AS bigint) AS bytes FROM page
    )
    SELECT t.runs, t.bytes + a.bytes + f.bytes AS bytes, l.started_at, l.id
    FROM total t CROSS JOIN attempts a CROSS JOIN left_files f
    LEFT JOIN LATERAL (SELECT p.started_at, p.id FROM page p ORDER BY p.started_at DESC, p.id DESC LIMIT 1) l ON true
""")


async def runs(tx: Transaction, workspace_id: UUID, behind: Place, limit: int) -> tuple[int, Place | None]:
    """The bytes of up to ``limit`` runs behind that place, and how far they reach; None where they are the last."""
    position = {"started_at": behind.started_at, "run_id": behind.run_id}
    row = await tx.one(_RUNS, position | {"workspace_id": workspace_id, "limit": limit})
    return row.bytes, Place(row.started_at, row.id) if row.runs == limit else None


# Of what is archived those bytes count that are not given back yet, and those of logs, until they are deleted.
_BESIDE = compact("""
    SELECT u.storage_bytes AS counted, CAST((
        SELECT coalesce(sum(headgate.json_bytes(m.output)), 0) FROM headgate.node_memos m
        WHERE m.workspace_id = %(workspace_id)s
    ) + (
        SELECT coalesce(sum(coalesce(octet_length(c.reached), 0) + coalesce(octet_length(c.pending), 0)), 0)
        FROM headgate.sync_cursors c WHERE c.workspace_id = %(workspace_id)s
    ) + (
        SELECT coalesce(sum(octet_length(d.sealed)), 0) FROM headgate.webhook_deliveries d
        WHERE d.workspace_id = %(workspace_id)s
    ) + (
        SELECT coalesce(sum(n.bytes), 0) FROM headgate.unnoted_artifacts n WHERE n.workspace_id = %(workspace_id)s
    ) + (
        SELECT coalesce(sum(CASE p.state WHEN 'Removed' THEN p.stored_bytes ELSE 0 END + p.log_bytes), 0)
        FROM headgate.archive_parts p
        WHERE p.workspace_id = %(workspace_id)s AND p.state IN ('Removed', 'Settled', 'Expiring')
    ) AS bigint) AS kept, EXISTS (
        SELECT FROM headgate.archive_parts p WHERE p.workspace_id = %(workspace_id)s AND p.state = 'Verified'
    ) AS removing
    FROM headgate.workspace_usage u WHERE u.workspace_id = %(workspace_id)s
""")


async def beside_runs(tx: Transaction, workspace_id: UUID) -> Any:
    """What is ``counted`` of the workspace, what it keeps beside runs, and whether runs are ``removing``."""
    return await tx.one(_BESIDE, {"workspace_id": workspace_id})
