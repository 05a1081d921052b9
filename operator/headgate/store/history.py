"""Statements that read what happened. None counts rows, none skips them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, ScalarSelect, select, text, tuple_, union_all

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


ALL_STATUSES = ("Pending", "Running", "Suspended", "Succeeded", "Failed", "Cancelled")
_LISTED = (
    executions.c.id,
    executions.c.started_at,
    executions.c.workflow_id,
    executions.c.version_id,
    executions.c.status,
    executions.c.trigger_kind,
    executions.c.resource,
    executions.c.finished_at,
    executions.c.duration_ms,
    executions.c.error_message,
)


async def page(
    tx: Transaction,
    workspace_id: UUID,
    *,
    statuses: tuple[str, ...],
    workflow: tuple[str, str] | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Row[Any]]:
    """Up to ``limit`` runs, newest first, older than ``before``.

    Every filter is one range of one index, read in the order of the list: of several statuses, each is read by itself
    and the results are merged. So a page costs the same wherever it lies and however rare its runs are.
    """
    newest = (executions.c.started_at.desc(), executions.c.id.desc())
    part = select(*_LISTED).where(executions.c.workspace_id == workspace_id).order_by(*newest).limit(limit)
    if workflow is not None:
        part = part.where(executions.c.workflow_id == _workflow_id(workspace_id, *workflow))
        statuses = statuses or ALL_STATUSES
    if before is not None:
        part = part.where(
            executions.c.started_at <= before[0], tuple_(executions.c.started_at, executions.c.id) < tuple_(*before)
        )
    parts = [part.where(executions.c.status == status).subquery().select() for status in statuses]
    listed = union_all(*parts).subquery("listed") if parts else part.subquery("listed")
    named = (
        select(*listed.c, workflows.c.namespace, workflows.c.name.label("workflow"), versions.c.number.label("version"))
        .join(workflows, (workflows.c.workspace_id == workspace_id) & (workflows.c.id == listed.c.workflow_id))
        .join(versions, (versions.c.workspace_id == workspace_id) & (versions.c.id == listed.c.version_id))
        .order_by(listed.c.started_at.desc(), listed.c.id.desc())
        .limit(limit)
    )
    return [*(await tx.execute(named))]


def _workflow_id(workspace_id: UUID, namespace: str, name: str) -> ScalarSelect[UUID]:
    """The workflow of that name: the one there is, or the last one there was."""
    return (
        select(workflows.c.id)
        .where(workflows.c.workspace_id == workspace_id, workflows.c.namespace == namespace, workflows.c.name == name)
        .order_by(workflows.c.deleted_at.desc().nulls_first())
        .limit(1)
        .scalar_subquery()
    )
