"""Statements about event triggers: what waits for the ends of other workflows' runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import to_json

# What stays as it is keeps why its last ending made no run.
_REPLACE = """
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(CAST(%(events)s AS jsonb)) AS e (node text, source text, phases text[])
    ), removed AS (
        DELETE FROM headgate.workflow_events e
        WHERE e.workspace_id = %(workspace_id)s AND e.workflow_id = %(workflow_id)s
            AND NOT EXISTS (SELECT FROM wanted w WHERE w.node = e.node)
    )
    INSERT INTO headgate.workflow_events AS e (workspace_id, workflow_id, node, namespace, source, phases)
    SELECT %(workspace_id)s, %(workflow_id)s, w.node, %(namespace)s, w.source, w.phases FROM wanted w
    ON CONFLICT (workspace_id, workflow_id, node) DO UPDATE
    SET source = excluded.source, phases = excluded.phases, last_error = NULL
    WHERE (e.source, e.phases) <> (excluded.source, excluded.phases)
"""


async def replace(
    tx: Transaction,
    workspace_id: UUID,
    workflow_id: UUID,
    namespace: str,
    events: Mapping[str, tuple[str, Sequence[str]]],
) -> None:
    """Make these the event triggers of a workflow: by node, the other workflow and the phases that count."""
    rows = [{"node": node, "source": source, "phases": list(phases)} for node, (source, phases) in events.items()]
    parameters = {
        "workspace_id": workspace_id,
        "workflow_id": workflow_id,
        "namespace": namespace,
        "events": to_json(rows),
    }
    await tx.execute(_REPLACE, parameters)


_SET_ERROR = """
    UPDATE headgate.workflow_events SET last_error = %(error)s
    WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s AND node = %(node)s
        AND last_error IS DISTINCT FROM CAST(%(error)s AS text)
"""


async def set_error(tx: Transaction, workspace_id: UUID, workflow_id: UUID, node: str, error: str | None) -> bool:
    """Record why the last ending made no run, or with None that it made one. Returns whether that was news."""
    parameters = {"workspace_id": workspace_id, "workflow_id": workflow_id, "node": node, "error": error}
    return bool(await tx.execute(_SET_ERROR, parameters))
