"""Statements that read what happened. None counts rows, none skips them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.fragments import compact
from headgate.store.records import RunKey, to_json

_VIEW = compact("""
    SELECT e.priority, e.version_id, e.status, e.trigger_kind, e.resource, e.finished_at, e.waiting_reason,
        e.waiting_until, e.error_message, e.outputs, e.retries, e.held, e.cancelling, e.mode, e.options,
        e.mutex, e.concurrency_limit, e.labels, CASE e.waiting_reason WHEN 'Mutex' THEN (
            SELECT jsonb_build_object('id', h.id, 'resource', h.resource, 'workflow', w.name)
            FROM headgate.workflow_executions h
            JOIN headgate.workflows w ON w.workspace_id = h.workspace_id AND w.id = h.workflow_id
            WHERE h.workspace_id = e.workspace_id AND h.mutex = e.mutex AND h.status IN ('Running', 'Suspended')
                AND h.running_since IS NOT NULL AND h.id <> ALL (e.callers)
            ORDER BY h.started_at, h.id LIMIT 1
        ) END AS holder,
        (SELECT jsonb_agg(to_jsonb(latest)) FROM (
            SELECT DISTINCT ON (node) node, attempt, phase, reason, message, output, attempt_started_at,
                attempt_finished_at, CAST(cost AS text) AS cost, price_version
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


_OF_KEY = """
    SELECT execution_id FROM headgate.execution_triggers
    WHERE workspace_id = %(workspace_id)s AND trigger_key = %(trigger_key)s
"""


async def run_of_key(tx: Transaction, workspace_id: UUID, trigger_key: str) -> UUID | None:
    """The run that a request made."""
    return await tx.value(_OF_KEY, {"workspace_id": workspace_id, "trigger_key": trigger_key})


_LISTED = """e.id, e.started_at, e.workflow_id, e.version_id, e.status, e.trigger_kind, e.resource, e.finished_at,
    e.duration_ms, e.error_message, e.waiting_reason, e.labels"""
ALL_STATUSES = ("Pending", "Running", "Suspended", "Succeeded", "Failed", "Cancelled")
_OF_STATUS = "unnest(CAST(%(statuses)s AS text[])) AS wanted (status) CROSS JOIN LATERAL"
_STATUS = "AND e.status = wanted.status"
# Of runs (e) or of their labels (l), both of which lie by time and id.
_BEFORE = "AND {time} <= %(before_time)s AND ({time}, {id}) < (%(before_time)s, %(before_id)s)"
_SINCE = "AND {time} >= %(since)s"
_UNTIL = "AND {time} < %(until)s"
# The workflow of that name: the one there is, or the last one there was.
_WORKFLOW = """
    AND e.workflow_id = (
        SELECT id FROM headgate.workflows
        WHERE workspace_id = %(workspace_id)s AND namespace = %(namespace)s AND name = %(workflow)s
        ORDER BY deleted_at DESC NULLS FIRST LIMIT 1
    )
"""


async def page(
    tx: Transaction,
    workspace_id: UUID,
    *,
    statuses: tuple[str, ...],
    workflow: tuple[str, str] | None,
    since: datetime | None,
    until: datetime | None,
    labels: tuple[tuple[str, str], ...],
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Any]:
    """Up to ``limit`` runs, newest first, older than ``before``, from ``since`` on and before ``until``.

    Every filter is a range of one index, read in the order of the list: where there are several statuses, the newest
    runs of each are read, and merged. So a page costs the same wherever it lies and however rare its runs are. Of runs
    with labels the range is that of the first one, and what else is asked for is looked up in each, until the page is
    full.
    """
    parameters: dict[str, Any] = {"workspace_id": workspace_id, "limit": limit}
    span = ""
    if since is not None:
        parameters["since"], span = since, _SINCE
    if until is not None:
        parameters["until"], span = until, f"{span} {_UNTIL}"
    if workflow is not None:
        parameters["namespace"], parameters["workflow"] = workflow
        statuses = statuses or (() if labels else ALL_STATUSES)
    if statuses:
        parameters["statuses"] = list(statuses)
    if before is not None:
        parameters["before_time"], parameters["before_id"] = before
        span = f"{_BEFORE} {span}"
    if labels:
        parameters["key"], parameters["value"] = labels[0]
        parameters["labels"] = to_json(dict(labels))
    source = (_labelled if labels else _listed)(span, by_status=bool(statuses), by_workflow=workflow is not None)
    return await tx.rows(
        f"""
        SELECT listed.*, w.namespace, w.name AS workflow, v.number AS version
        FROM {_OF_STATUS if statuses and not labels else ""} ({source}) listed
        JOIN headgate.workflows w ON w.workspace_id = %(workspace_id)s AND w.id = listed.workflow_id
        JOIN headgate.workflow_versions v ON v.workspace_id = %(workspace_id)s AND v.id = listed.version_id
        ORDER BY listed.started_at DESC, listed.id DESC LIMIT %(limit)s
        """,  # noqa: S608 - constants
        parameters,
        # There are many forms of it, of which each names every month: planning one takes far longer than a page.
        prepare=True,
    )


def _listed(span: str, *, by_status: bool, by_workflow: bool) -> str:
    """Runs in the order of the list: of each of the wanted statuses, where there are some."""
    return f"""
        SELECT {_LISTED} FROM headgate.workflow_executions e
        WHERE e.workspace_id = %(workspace_id)s {_STATUS if by_status else ""}
            {span.format(time="e.started_at", id="e.id")} {_WORKFLOW if by_workflow else ""}
        ORDER BY e.started_at DESC, e.id DESC LIMIT %(limit)s
    """  # noqa: S608 - constants


def _labelled(span: str, *, by_status: bool, by_workflow: bool) -> str:
    """Runs with the first label in the order of the list, of which each is looked up for what else is asked for."""
    return f"""
        SELECT e.* FROM headgate.execution_labels l CROSS JOIN LATERAL (
            SELECT {_LISTED} FROM headgate.workflow_executions e
            WHERE e.workspace_id = %(workspace_id)s AND e.started_at = l.started_at AND e.id = l.execution_id
                AND e.labels @> CAST(%(labels)s AS jsonb)
                {"AND e.status = ANY (%(statuses)s)" if by_status else ""} {_WORKFLOW if by_workflow else ""}
            LIMIT 1
        ) e
        WHERE l.workspace_id = %(workspace_id)s AND l.key = %(key)s AND l.value = %(value)s
            {span.format(time="l.started_at", id="l.execution_id")}
        ORDER BY l.started_at DESC, l.execution_id DESC LIMIT %(limit)s
    """  # noqa: S608 - constants
