"""Statements about the outbox: runs that ended, and for whose end something waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction

# Hops from workspace to workspace along the indexes: it costs the number of workspaces in which something waits.
_DUE = """
    WITH RECURSIVE ending AS (
        (SELECT workspace_id, due_at FROM headgate.run_endings ORDER BY workspace_id, due_at LIMIT 1)
        UNION ALL
        SELECT n.workspace_id, n.due_at FROM ending p CROSS JOIN LATERAL (
            SELECT e.workspace_id, e.due_at FROM headgate.run_endings e
            WHERE e.workspace_id > p.workspace_id ORDER BY e.workspace_id, e.due_at LIMIT 1
        ) n
    ), call AS (
        (SELECT workspace_id, due_at FROM headgate.tasks WHERE kind = 'call' AND due_at IS NOT NULL
         ORDER BY workspace_id, due_at LIMIT 1)
        UNION ALL
        SELECT n.workspace_id, n.due_at FROM call p CROSS JOIN LATERAL (
            SELECT t.workspace_id, t.due_at FROM headgate.tasks t
            WHERE t.kind = 'call' AND t.due_at IS NOT NULL AND t.workspace_id > p.workspace_id
            ORDER BY t.workspace_id, t.due_at LIMIT 1
        ) n
    )
    SELECT workspace_id, min(due_at) AS due_at FROM (TABLE ending UNION ALL TABLE call) found
    GROUP BY workspace_id ORDER BY due_at
"""


async def due(tx: Transaction) -> list[tuple[UUID, datetime]]:
    """Workspaces with endings or calls, and when the first of them is due. Takes a system transaction."""
    return [(row.workspace_id, row.due_at) for row in await tx.rows(_DUE)]


@dataclass(frozen=True)
class Listener:
    """An event trigger that a run's end fires."""

    workflow_id: UUID
    workflow: str
    node: str
    failed_before: bool
    """Whether the ending before this one made no run."""


@dataclass(frozen=True)
class EndingRow:
    """A run that ended, with all who wait for it."""

    run_id: UUID
    namespace: str
    workflow: str
    phase: str
    ended_at: datetime
    failures: int
    """How often acting on it failed."""
    depth: int
    outputs: Mapping[str, Any] | None
    error_message: str | None
    parent: tuple[UUID, str, int] | None
    """Run, node and attempt that called it."""
    parent_waits_for: str | None
    """Reason for which that attempt waits, as far as it is open."""
    listeners: tuple[Listener, ...]
    orphans: tuple[UUID, ...]
    """Open runs that it called itself, by attempts that are not open any more."""


_TAKE = """
    WITH taken AS (
        SELECT run_id FROM headgate.run_endings WHERE workspace_id = %(workspace_id)s AND due_at <= %(now)s
        ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), leased AS (
        UPDATE headgate.run_endings r SET due_at = %(lease_until)s FROM taken t
        WHERE r.workspace_id = %(workspace_id)s AND r.run_id = t.run_id
        RETURNING r.*
    )
    SELECT l.run_id, l.namespace, l.workflow, l.phase, l.ended_at, l.failures, e.depth, e.outputs, e.error_message,
        e.parent_run, e.parent_node, e.parent_attempt, p.waiting_reason AS parent_waits_for, (
            SELECT jsonb_agg(jsonb_build_array(v.workflow_id, w.name, v.node, v.last_error IS NOT NULL)
                ORDER BY w.name, v.node)
            FROM headgate.workflow_events v
            JOIN headgate.workflows w ON w.workspace_id = v.workspace_id AND w.id = v.workflow_id
            WHERE v.workspace_id = %(workspace_id)s AND v.namespace = l.namespace AND v.source = l.workflow
                AND l.phase = ANY (v.phases) AND e.mode = 'Normal'
        ) AS listeners, (
            SELECT array_agg(c.id) FROM headgate.workflow_executions c
            WHERE c.workspace_id = %(workspace_id)s AND c.parent_run = l.run_id AND c.started_at >= l.started_at
                AND c.status IN ('Pending', 'Running', 'Suspended') AND NOT EXISTS (
                    SELECT FROM headgate.tasks t
                    WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = c.parent_run
                        AND t.node = c.parent_node AND t.attempt = c.parent_attempt
                )
        ) AS orphans
    FROM leased l
    JOIN headgate.workflow_executions e ON e.workspace_id = %(workspace_id)s AND e.started_at = l.started_at
        AND e.id = l.run_id
    LEFT JOIN headgate.tasks p ON p.workspace_id = %(workspace_id)s AND p.execution_id = e.parent_run
        AND p.node = e.parent_node AND p.attempt = e.parent_attempt
    ORDER BY l.ended_at, l.run_id
"""


async def take(
    tx: Transaction, workspace_id: UUID, *, now: datetime, lease_until: datetime, limit: int
) -> list[EndingRow]:
    """Lease up to ``limit`` due endings of a workspace. What another transaction takes right now is left to it."""
    parameters = {"workspace_id": workspace_id, "now": now, "lease_until": lease_until, "limit": limit}
    return [_ending(row) for row in await tx.rows(_TAKE, parameters)]


def _ending(row: Any) -> EndingRow:
    parent = (row.parent_run, row.parent_node, row.parent_attempt) if row.parent_run is not None else None
    return EndingRow(
        run_id=row.run_id,
        namespace=row.namespace,
        workflow=row.workflow,
        phase=row.phase,
        ended_at=row.ended_at,
        failures=row.failures,
        depth=row.depth,
        outputs=row.outputs,
        error_message=row.error_message,
        parent=parent,
        parent_waits_for=row.parent_waits_for,
        listeners=tuple(Listener(UUID(workflow_id), *rest) for workflow_id, *rest in row.listeners or ()),
        orphans=tuple(row.orphans or ()),
    )


# An ending that came anew meanwhile, of a run that was taken up again, is left as it is.
_OF_THAT_END = "workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND ended_at = %(ended_at)s"
_TAKE_OFF = f"DELETE FROM headgate.run_endings WHERE {_OF_THAT_END}"  # noqa: S608 - constants
_PUT_OFF = f"""
    UPDATE headgate.run_endings SET due_at = %(again_at)s, failures = failures + 1 WHERE {_OF_THAT_END}
"""  # noqa: S608 - constants


async def settle(tx: Transaction, workspace_id: UUID, ending: EndingRow, again_at: datetime | None) -> None:
    """Take an ending off that was acted on; with a time it failed, and is due again then.

    One that came anew meanwhile, of a run that was retried, is left alone.
    """
    parameters = {"workspace_id": workspace_id, "run_id": ending.run_id, "ended_at": ending.ended_at}
    if again_at is None:
        await tx.execute(_TAKE_OFF, parameters)
    else:
        await tx.execute(_PUT_OFF, {**parameters, "again_at": again_at})
