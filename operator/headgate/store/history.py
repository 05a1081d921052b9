"""Statements that read what happened to one run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.fragments import compact
from headgate.store.records import RunKey

_VIEW = compact("""
    SELECT e.priority, e.version_id, e.status, e.trigger_kind, e.resource, e.finished_at, e.waiting_reason,
        e.waiting_until, e.error_message, e.outputs, e.retries, e.held, e.cancelling, e.mode, e.options,
        e.mutex, e.concurrency_limit, e.labels, CASE WHEN e.mode <> 'Normal' THEN e.inputs END AS inputs,
        CASE e.waiting_reason WHEN 'Mutex' THEN (
            SELECT jsonb_build_object('id', h.id, 'resource', h.resource, 'workflow', w.name)
            FROM headgate.workflow_executions h
            JOIN headgate.workflows w ON w.workspace_id = h.workspace_id AND w.id = h.workflow_id
            WHERE h.workspace_id = e.workspace_id AND h.mutex = e.mutex AND h.status IN ('Running', 'Suspended')
                AND h.running_since IS NOT NULL AND h.id <> ALL (e.callers)
            ORDER BY h.started_at, h.id LIMIT 1
        ) END AS holder,
        (SELECT jsonb_agg(to_jsonb(latest)) FROM (
            SELECT DISTINCT ON (node) node, attempt, phase, reason, message, output, attempt_started_at,
                attempt_finished_at, CAST(cost AS text) AS cost, price_version, CAST(cpu_used AS text) AS cpu_used,
                CAST(memory_used AS text) AS memory_used, CAST(cpu_requested AS text) AS cpu_requested,
                CAST(memory_requested AS text) AS memory_requested
            FROM headgate.workflow_execution_steps
            WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
            ORDER BY node, attempt DESC
        ) latest) AS steps, (
            SELECT sum(cost) FROM headgate.workflow_execution_steps
            WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
        ) AS cost,
        (SELECT jsonb_agg(jsonb_build_object('node', t.node, 'reason', t.waiting_reason, 'message', t.waiting_message,
                'until', t.waiting_until, 'kind', t.kind, 'due', t.due_at, 'asks', t.work #> '{approval,message}',
                'room', o.waiting_message,
                'called', CASE t.kind WHEN 'call' THEN (
                    SELECT jsonb_build_object('id', c.id, 'workflow', w.name, 'reason', c.waiting_reason)
                    FROM headgate.workflow_executions c
                    JOIN headgate.workflows w ON w.workspace_id = c.workspace_id AND w.id = c.workflow_id
                    WHERE c.workspace_id = t.workspace_id AND c.parent_run = t.execution_id AND c.parent_node = t.node
                        AND c.parent_attempt = t.attempt
                    LIMIT 1
                ) END) ORDER BY t.node)
            FROM headgate.tasks t LEFT JOIN LATERAL (
                SELECT u.waiting_message FROM headgate.tasks u
                WHERE t.kind = 'job' AND t.job_uid IS NULL AND t.waiting_reason IS NULL
                    AND u.workspace_id = %(workspace_id)s AND u.waiting_reason = 'Unschedulable'
                    AND u.job_uid IS NOT NULL
                ORDER BY u.waiting_since DESC LIMIT 1
            ) o ON true
            WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = %(run_id)s
                AND (t.waiting_reason IS NOT NULL OR t.kind IN ('call', 'approval')
                    OR t.kind = 'runner' AND t.holder IS NULL OR o.waiting_message IS NOT NULL)
        ) AS waiting
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = %(workspace_id)s AND e.started_at = %(started_at)s AND e.id = %(run_id)s
""")


async def run(tx: Transaction, key: RunKey) -> Any | None:
    """A run with the latest attempts of its nodes and what its tasks wait for."""
    return await tx.row(_VIEW, key.parameters(), prepare=True)


_ATTEMPTS = """
    SELECT node, attempt, phase, reason, message, output, attempt_started_at, attempt_finished_at,
        CAST(cost AS text) AS cost, price_version, CAST(cpu_used AS text) AS cpu_used,
        CAST(memory_used AS text) AS memory_used, CAST(cpu_requested AS text) AS cpu_requested,
        CAST(memory_requested AS text) AS memory_requested
    FROM headgate.workflow_execution_steps
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
"""


async def attempts(tx: Transaction, key: RunKey) -> list[dict[str, Any]]:
    """All attempts of a run's nodes and of their items, in no order. One partition has them."""
    return [row._asdict() for row in await tx.rows(_ATTEMPTS, key.parameters())]


_OF_KEY = """
    SELECT execution_id FROM headgate.execution_triggers
    WHERE workspace_id = %(workspace_id)s AND trigger_key = %(trigger_key)s
"""


async def run_of_key(tx: Transaction, workspace_id: UUID, trigger_key: str) -> UUID | None:
    """The run that a request made."""
    return await tx.value(_OF_KEY, {"workspace_id": workspace_id, "trigger_key": trigger_key})
