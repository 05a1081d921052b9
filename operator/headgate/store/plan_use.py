"""The statement that tells a workspace what it uses of its plan."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from headgate.store.analytics import WHOLE_WORKSPACE
from headgate.store.database import Transaction
from headgate.store.fragments import compact

# What is counted here is bounded by limits of the plan, or by what is open: history is not read.
_PLAN_USE = compact("""
    SELECT w.name, w.suspended, q.pot, q.max_workflows, q.max_executions_per_day, q.max_storage_mb,
        q.max_concurrent_runs, q.max_api_calls_per_hour, u.running, u.day, u.executions, u.storage_bytes,
        u.month, u.spent, q.budget,
        p.running AS pot_running, p.day AS pot_day, p.executions AS pot_executions,
        p.storage_bytes AS pot_storage_bytes, coalesce(c.used, 0) AS api_calls, coalesce(d.used, 0) AS pot_api_calls,
        (SELECT count(*) FROM headgate.workflow_executions e
         WHERE e.workspace_id = %(workspace_id)s AND e.status = 'Pending') AS pending,
        (SELECT count(*) FROM headgate.borrowed_places l WHERE l.workspace_id = %(workspace_id)s) AS borrowed,
        (SELECT count(*) FROM headgate.workflows f
         WHERE f.workspace_id = %(workspace_id)s AND f.deleted_at IS NULL) AS workflows,
        b.failure_threshold, b.failure_window, b.cool_down, b.half_open_runs,
        b.state, b.failures, b.opened_at, b.retry_at, b.episode, b.probes, b.passed, b.reset,
        m.measured, m.cpu_requested, m.cpu_used, m.memory_requested, m.memory_used
    FROM headgate.workspaces w
    JOIN headgate.workspace_resource_quotas q ON q.workspace_id = w.id
    JOIN headgate.workspace_usage u ON u.workspace_id = w.id
    JOIN headgate.workspace_circuit_breakers b ON b.workspace_id = w.id
    LEFT JOIN headgate.quota_pots p ON p.name = q.pot
    CROSS JOIN (SELECT date_trunc('hour', headgate.clock(), 'UTC') AS began) h
    LEFT JOIN headgate.workspace_rate_limits c
        ON c.workspace_id = w.id AND c.subject = '' AND c.window_start = h.began
    LEFT JOIN headgate.pot_rate_limits d ON d.pot = q.pot AND d.window_start = h.began
    CROSS JOIN LATERAL (
        SELECT CAST(coalesce(sum(a.measured), 0) AS bigint) AS measured, sum(a.cpu_requested) AS cpu_requested,
            sum(a.cpu_used) AS cpu_used, sum(a.memory_requested) AS memory_requested, sum(a.memory_used) AS memory_used
        FROM headgate.workspace_analytics_daily a
        WHERE a.workspace_id = %(workspace_id)s AND a.workflow_id = %(whole)s AND a.day >= %(month)s
    ) m
    WHERE w.id = %(workspace_id)s AND w.deleted_at IS NULL
""")


async def plan_use(tx: Transaction, workspace_id: UUID, month: date) -> Any | None:
    """What the workspace uses, beside its limits and what its pot uses; None where it was retired.

    What its attempts were measured to use is of ``month``, a first day, and since.
    """
    return await tx.row(_PLAN_USE, {"workspace_id": workspace_id, "whole": WHOLE_WORKSPACE, "month": month})
