"""Statements that read what happened. None counts rows, none skips them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, tuple_

from headgate.store.database import Transaction
from headgate.store.records import RunKey
from headgate.store.tables import execution_triggers, executions, versions, workflows

_VIEW = text("""
    SELECT e.version_id, e.status, e.resource, e.finished_at, e.waiting_reason, e.waiting_until, e.error_message,
        (SELECT jsonb_agg(to_jsonb(latest)) FROM (
            SELECT DISTINCT ON (node) node, attempt, phase, reason, message, output, attempt_started_at,
                attempt_finished_at
            FROM headgate.workflow_execution_steps
            WHERE workspace_id = :workspace_id AND started_at = :started_at AND execution_id = :run_id
            ORDER BY node, attempt DESC
        ) latest) AS steps,
        (SELECT jsonb_agg(jsonb_build_object('node', node, 'reason', waiting_reason, 'message', waiting_message,
                'until', waiting_until) ORDER BY node)
            FROM headgate.tasks
            WHERE workspace_id = :workspace_id AND execution_id = :run_id AND waiting_reason IS NOT NULL
        ) AS waiting
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = :workspace_id AND e.started_at = :started_at AND e.id = :run_id
""")


async def run(tx: Transaction, key: RunKey) -> Row[Any] | None:
    """A run with the latest attempts of its nodes and what its tasks wait for."""
    return (await tx.execute(_VIEW, key.parameters())).first()


async def run_of_key(tx: Transaction, workspace_id: UUID, trigger_key: str) -> UUID | None:
    """The run that a request made."""
    statement = select(execution_triggers.c.execution_id).where(
        execution_triggers.c.workspace_id == workspace_id, execution_triggers.c.trigger_key == trigger_key
    )
    found: UUID | None = await tx.scalar(statement)
    return found


async def page(
    tx: Transaction,
    workspace_id: UUID,
    *,
    statuses: tuple[str, ...],
    workflow: tuple[str, str] | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Row[Any]]:
    """Up to ``limit`` runs, newest first, older than ``before``; each filter has an index that serves it in order."""
    statement = (
        select(
            executions.c.id,
            executions.c.started_at,
            workflows.c.namespace,
            workflows.c.name.label("workflow"),
            versions.c.number.label("version"),
            executions.c.status,
            executions.c.trigger_kind,
            executions.c.resource,
            executions.c.finished_at,
            executions.c.duration_ms,
            executions.c.error_message,
        )
        .join(
            workflows,
            (workflows.c.workspace_id == executions.c.workspace_id) & (workflows.c.id == executions.c.workflow_id),
        )
        .join(
            versions,
            (versions.c.workspace_id == executions.c.workspace_id) & (versions.c.id == executions.c.version_id),
        )
        .where(executions.c.workspace_id == workspace_id)
        .order_by(executions.c.started_at.desc(), executions.c.id.desc())
        .limit(limit)
    )
    if statuses:
        statement = statement.where(executions.c.status.in_(statuses))
    if workflow is not None:
        statement = statement.where(workflows.c.namespace == workflow[0], workflows.c.name == workflow[1])
    if before is not None:
        statement = statement.where(
            executions.c.started_at <= before[0],
            tuple_(executions.c.started_at, executions.c.id) < tuple_(*before),
        )
    rows: list[Row[Any]] = [*(await tx.execute(statement))]
    return rows
