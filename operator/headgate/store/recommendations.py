"""Statements about recommendations, and about giving words to what has none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from headgate.domain.recommendations import Recommendation
from headgate.store.database import Transaction
from headgate.store.ended_labels import ALL
from headgate.store.fragments import compact
from headgate.store.records import to_json

# One that was looked after today by the release before has labels of workflows to be seen to.
_DUE = """
    SELECT w.id FROM headgate.workspaces w
    WHERE w.deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM headgate.upkeep_days u WHERE u.workspace_id = w.id AND u.day >= %(day)s
            AND u.workflows_from = %(all)s
    )
    ORDER BY w.id LIMIT %(limit)s
"""


async def due(tx: Transaction, day: date, limit: int) -> list[UUID]:
    """Workspaces that have not been looked after on that day. A system transaction's."""
    return [row.id for row in await tx.rows(_DUE, {"day": day, "limit": limit, "all": ALL})]


_NODES = compact("""
    SELECT n.workflow_id, w.name AS workflow, n.node, n.attempts, n.failed, n.duration_ms, n.longest_ms,
        s.spec AS node_spec
    FROM (
        SELECT workflow_id, node, CAST(sum(attempts) AS bigint) AS attempts, CAST(sum(failed) AS bigint) AS failed,
            CAST(sum(duration_ms) AS bigint) AS duration_ms, max(longest_ms) AS longest_ms
        FROM headgate.node_analytics_daily
        WHERE workspace_id = %(workspace_id)s AND day > %(since)s
        GROUP BY workflow_id, node
    ) n
    JOIN headgate.workflows w ON w.workspace_id = %(workspace_id)s AND w.id = n.workflow_id AND w.deleted_at IS NULL
    JOIN headgate.workflow_versions v ON v.workspace_id = %(workspace_id)s AND v.id = w.current_version_id
    CROSS JOIN LATERAL jsonb_array_elements(v.spec -> 'nodes') AS s (spec)
    WHERE s.spec ->> 'id' = n.node
    ORDER BY w.name, n.workflow_id, n.node
""")


async def nodes(tx: Transaction, workspace_id: UUID, since: date) -> list[Any]:
    """How the nodes of the current versions fared after that day."""
    return await tx.rows(_NODES, {"workspace_id": workspace_id, "since": since})


_REPLACE = compact("""
    WITH wanted AS (
        SELECT r.* FROM jsonb_to_recordset(CAST(%(made)s AS jsonb)) AS r (workflow_id uuid, node text, rule text,
            message text)
    ), gone AS (
        DELETE FROM headgate.recommendations r WHERE r.workspace_id = %(workspace_id)s AND NOT EXISTS (
            SELECT FROM wanted w WHERE w.workflow_id = r.workflow_id AND w.node = r.node AND w.rule = r.rule
        )
    )
    INSERT INTO headgate.recommendations AS r (workspace_id, workflow_id, node, rule, message, made_at, document)
    SELECT %(workspace_id)s, w.workflow_id, w.node, w.rule, w.message, %(now)s,
        headgate.document(%(workspace_id)s, w.message)
    FROM wanted w
    ON CONFLICT (workspace_id, workflow_id, node, rule) DO UPDATE SET message = excluded.message,
        made_at = excluded.made_at, document = excluded.document
    WHERE r.message <> excluded.message
""")


async def replace(tx: Transaction, workspace_id: UUID, made: Iterable[Recommendation], now: datetime) -> None:
    """Keep these recommendations and no others. One that says the same as before stays as it is."""
    rows = [
        {"workflow_id": str(one.workflow_id), "node": one.node, "rule": one.rule.value, "message": one.message}
        for one in made
    ]
    await tx.execute(_REPLACE, {"workspace_id": workspace_id, "made": to_json(rows), "now": now})


_LISTED = compact("""
    SELECT w.namespace, w.name AS workflow, r.node, r.rule, r.message, r.made_at
    FROM headgate.recommendations r
    JOIN headgate.workflows w ON w.workspace_id = r.workspace_id AND w.id = r.workflow_id AND w.deleted_at IS NULL
    WHERE r.workspace_id = %(workspace_id)s
    ORDER BY w.namespace, w.name, r.node, r.rule LIMIT %(limit)s
""")


async def listed(tx: Transaction, workspace_id: UUID, limit: int) -> list[Any]:
    """The recommendations by workflow and node."""
    return await tx.rows(_LISTED, {"workspace_id": workspace_id, "limit": limit})


# Before there were documents, or while a migration had made their tables and not their triggers.
_FILL_WORKFLOWS = compact("""
    INSERT INTO headgate.workflow_documents (workspace_id, workflow_id, document)
    SELECT w.workspace_id, w.id, headgate.workflow_document(w.workspace_id, w.namespace, w.name, v.spec)
    FROM headgate.workflows w
    JOIN headgate.workflow_versions v ON v.workspace_id = w.workspace_id AND v.id = w.current_version_id
    WHERE w.workspace_id = %(workspace_id)s AND w.deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM headgate.workflow_documents d WHERE d.workspace_id = %(workspace_id)s AND d.workflow_id = w.id
    )
    LIMIT %(limit)s ON CONFLICT (workspace_id, workflow_id) DO NOTHING
""")
_FILL_RUNS = compact("""
    INSERT INTO headgate.run_documents (workspace_id, started_at, execution_id, document)
    SELECT e.workspace_id, e.started_at, e.id, headgate.document(e.workspace_id, e.error_message)
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = %(workspace_id)s AND e.status IN ('Failed', 'Cancelled') AND e.error_message IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM headgate.run_documents d
            WHERE d.workspace_id = %(workspace_id)s AND d.started_at = e.started_at AND d.execution_id = e.id
        )
    LIMIT %(limit)s ON CONFLICT (workspace_id, started_at, execution_id) DO NOTHING
""")


async def fill(tx: Transaction, workspace_id: UUID, limit: int) -> bool:
    """Give words to up to ``limit`` workflows and runs that lack them. Returns whether there may be more of these."""
    parameters = {"workspace_id": workspace_id, "limit": limit}
    filled = [await tx.execute(statement, parameters) for statement in (_FILL_WORKFLOWS, _FILL_RUNS)]
    return max(filled) == limit


_MARK = """
    INSERT INTO headgate.upkeep_days (workspace_id, day) VALUES (%(workspace_id)s, %(day)s)
    ON CONFLICT (workspace_id) DO UPDATE SET day = excluded.day
"""


async def mark(tx: Transaction, workspace_id: UUID, day: date) -> None:
    """The workspace was looked after on that day."""
    await tx.execute(_MARK, {"workspace_id": workspace_id, "day": day})
