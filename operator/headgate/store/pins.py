"""Statements about what nodes of earlier runs came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import RunKey, to_json


@dataclass(frozen=True)
class PinnedRow:
    """What is recorded of a node in an earlier run of the workflow."""

    succeeded: bool
    output: Any
    branch: str | None


_PINNED = """
    SELECT p.node, s.node IS NOT NULL AS succeeded, s.output, s.branch
    FROM jsonb_to_recordset(CAST(%(pins)s AS jsonb)) AS p (node text, run_id uuid, run_started_at timestamptz)
    JOIN headgate.workflow_executions e ON e.workspace_id = %(workspace_id)s AND e.started_at = p.run_started_at
        AND e.id = p.run_id AND e.workflow_id = %(workflow_id)s
    LEFT JOIN LATERAL (
        SELECT s.node, s.output, s.branch FROM headgate.workflow_execution_steps s
        WHERE s.workspace_id = %(workspace_id)s AND s.started_at = p.run_started_at AND s.execution_id = p.run_id
            AND s.node = p.node AND s.phase = 'Succeeded'
        ORDER BY s.attempt DESC LIMIT 1
    ) s ON true
"""


async def pinned(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, runs: Mapping[str, RunKey]
) -> dict[str, PinnedRow]:
    """What these nodes came to in those runs. Left out are nodes whose run the workflow has not, or not any more."""
    listed = [
        {"node": node, "run_id": str(key.id), "run_started_at": key.started_at.isoformat()}
        for node, key in runs.items()
    ]
    parameters = {"pins": to_json(listed), "workspace_id": workspace_id, "workflow_id": workflow_id}
    rows = await tx.rows(_PINNED, parameters)
    return {row.node: PinnedRow(row.succeeded, row.output, row.branch) for row in rows}
