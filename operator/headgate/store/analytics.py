"""Statements about what ended, day by day: adding it up, and reading it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.domain.analytics import BUCKETS_PER_DOUBLING
from headgate.store.database import Transaction
from headgate.store.fragments import compact

LOCK = 0x68675F61
"""Number of the lock that those who fold take turns by."""
WHOLE_WORKSPACE = UUID(int=0)
"""Stands for all workflows together."""

_USE = "sum(cpu_requested), sum(cpu_used), sum(memory_requested), sum(memory_used)"

# Every delta counts for its workflow, and for the workspace.
_FOLD = compact(f"""
    WITH taken AS (
        DELETE FROM headgate.analytics_deltas d USING (
            SELECT workspace_id, number FROM headgate.analytics_deltas ORDER BY workspace_id, number LIMIT %(limit)s
        ) oldest
        WHERE d.workspace_id = oldest.workspace_id AND d.number = oldest.number
        RETURNING d.*
    ), counted AS (
        SELECT t.*, s.scope
        FROM taken t CROSS JOIN LATERAL (VALUES (t.workflow_id), ('{WHOLE_WORKSPACE}'::uuid)) s (scope)
    ), days AS (
        INSERT INTO headgate.workspace_analytics_daily AS a
        SELECT workspace_id, scope, day,
            coalesce(sum(sign) FILTER (WHERE node IS NULL), 0),
            coalesce(sum(sign) FILTER (WHERE node IS NULL AND phase = 'Succeeded'), 0),
            coalesce(sum(sign) FILTER (WHERE node IS NULL AND phase = 'Failed'), 0),
            coalesce(sum(sign) FILTER (WHERE node IS NULL AND phase = 'Cancelled'), 0),
            coalesce(sum(sign * duration_ms) FILTER (WHERE node IS NULL), 0),
            coalesce(sum(sign) FILTER (WHERE queue_ms IS NOT NULL), 0), coalesce(sum(sign * queue_ms), 0),
            count(node), sum(cost), count(cpu_used), {_USE}
        FROM counted GROUP BY workspace_id, scope, day ORDER BY workspace_id, scope, day
        ON CONFLICT (workspace_id, workflow_id, day) DO UPDATE SET total = a.total + excluded.total,
            successful = a.successful + excluded.successful, failed = a.failed + excluded.failed,
            cancelled = a.cancelled + excluded.cancelled, duration_ms = a.duration_ms + excluded.duration_ms,
            queued = a.queued + excluded.queued, queue_ms = a.queue_ms + excluded.queue_ms,
            attempts = a.attempts + excluded.attempts,
            cost = coalesce(a.cost + excluded.cost, a.cost, excluded.cost),
            measured = a.measured + excluded.measured,
            cpu_requested = coalesce(a.cpu_requested + excluded.cpu_requested, a.cpu_requested, excluded.cpu_requested),
            cpu_used = coalesce(a.cpu_used + excluded.cpu_used, a.cpu_used, excluded.cpu_used),
            memory_requested = coalesce(a.memory_requested + excluded.memory_requested, a.memory_requested,
                excluded.memory_requested),
            memory_used = coalesce(a.memory_used + excluded.memory_used, a.memory_used, excluded.memory_used)
    ), durations AS (
        INSERT INTO headgate.run_durations_daily AS r
        SELECT workspace_id, scope, day,
            least(floor({BUCKETS_PER_DOUBLING} * log(2, greatest(duration_ms, 1)::numeric)), 255) AS bucket, sum(sign)
        FROM counted WHERE node IS NULL AND duration_ms IS NOT NULL GROUP BY workspace_id, scope, day, bucket
        ON CONFLICT (workspace_id, workflow_id, day, bucket) DO UPDATE SET runs = r.runs + excluded.runs
    ), nodes AS (
        INSERT INTO headgate.node_analytics_daily AS n
        SELECT workspace_id, workflow_id, day, node, count(*), count(*) FILTER (WHERE phase = 'Failed'),
            sum(duration_ms), max(duration_ms), sum(cost)
        FROM taken WHERE node IS NOT NULL GROUP BY workspace_id, workflow_id, day, node
        ON CONFLICT (workspace_id, workflow_id, day, node) DO UPDATE SET attempts = n.attempts + excluded.attempts,
            failed = n.failed + excluded.failed, duration_ms = n.duration_ms + excluded.duration_ms,
            longest_ms = greatest(n.longest_ms, excluded.longest_ms),
            cost = coalesce(n.cost + excluded.cost, n.cost, excluded.cost)
    ), labels AS (
        INSERT INTO headgate.label_costs_daily AS l
        SELECT t.workspace_id, t.day, e.key, e.value, sum(t.cost)
        FROM taken t CROSS JOIN LATERAL jsonb_each_text(t.labels) e WHERE t.cost IS NOT NULL
        GROUP BY t.workspace_id, t.day, e.key, e.value
        ON CONFLICT (workspace_id, key, day, value) DO UPDATE SET cost = l.cost + excluded.cost
    )
    SELECT count(*) FROM taken
""")  # noqa: S608 - constants


async def fold(tx: Transaction, limit: int) -> int:
    """Add up to ``limit`` of what ended to its days, and return how many. A system transaction's, by LOCK."""
    return int(await tx.value(_FOLD, {"limit": limit}) or 0)


@dataclass(frozen=True)
class DayRow:
    """What ended on a day."""

    day: date
    total: int
    successful: int
    failed: int
    cancelled: int
    duration_ms: int
    queued: int
    queue_ms: int
    attempts: int
    cost: Decimal | None
    buckets: dict[int, int]
    """Runs by the bucket of their duration."""


_DAYS = compact("""
    SELECT a.day, a.total, a.successful, a.failed, a.cancelled, a.duration_ms, a.queued, a.queue_ms, a.attempts, a.cost,
        coalesce((
            SELECT jsonb_object_agg(r.bucket, r.runs) FROM headgate.run_durations_daily r
            WHERE r.workspace_id = a.workspace_id AND r.workflow_id = a.workflow_id AND r.day = a.day AND r.runs > 0
        ), '{}') AS buckets
    FROM headgate.workspace_analytics_daily a
    WHERE a.workspace_id = %(workspace_id)s AND a.workflow_id = %(workflow_id)s AND a.day >= %(since)s
        AND a.day <= %(until)s
    ORDER BY a.day
""")


async def days(tx: Transaction, workspace_id: UUID, workflow_id: UUID, since: date, until: date) -> list[DayRow]:
    """The days of a workflow, or of the workspace, on which something ended."""
    parameters = {"workspace_id": workspace_id, "workflow_id": workflow_id, "since": since, "until": until}
    rows = await tx.rows(_DAYS, parameters)
    return [
        DayRow(**row._asdict() | {"buckets": {int(key): runs for key, runs in row.buckets.items()}}) for row in rows
    ]


_SLOWEST = compact("""
    SELECT w.namespace, w.name AS workflow, n.node, n.attempts, n.failed, n.duration_ms, n.longest_ms, n.cost FROM (
        SELECT workflow_id, node, sum(attempts)::bigint AS attempts, sum(failed)::bigint AS failed,
            sum(duration_ms)::bigint AS duration_ms, max(longest_ms) AS longest_ms, sum(cost) AS cost
        FROM headgate.node_analytics_daily
        WHERE workspace_id = %(workspace_id)s AND day >= %(since)s AND day <= %(until)s
            AND (CAST(%(workflow_id)s AS uuid) IS NULL OR workflow_id = %(workflow_id)s)
        GROUP BY workflow_id, node ORDER BY sum(duration_ms) / sum(attempts) DESC, workflow_id, node LIMIT %(limit)s
    ) n JOIN headgate.workflows w ON w.workspace_id = %(workspace_id)s AND w.id = n.workflow_id
    ORDER BY n.duration_ms / n.attempts DESC, w.name, n.node
""")


async def slowest(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID | None, since: date, until: date, limit: int
) -> list[Any]:
    """The nodes whose attempts took longest on average."""
    parameters = {"workspace_id": workspace_id, "workflow_id": workflow_id, "since": since, "until": until}
    return await tx.rows(_SLOWEST, parameters | {"limit": limit})


_NAMED = """sum(cpu_requested) AS cpu_requested, sum(cpu_used) AS cpu_used,
    sum(memory_requested) AS memory_requested, sum(memory_used) AS memory_used"""
_COSTS = {
    "day": """
        SELECT CAST(day AS text) AS name, NULL AS namespace, cost, measured, cpu_requested, cpu_used, memory_requested,
            memory_used
        FROM headgate.workspace_analytics_daily
        WHERE workspace_id = %(workspace_id)s AND workflow_id = %(whole)s AND day >= %(since)s AND day <= %(until)s
            AND cost IS NOT NULL AND CAST(day AS text) > %(after)s
        ORDER BY day LIMIT %(limit)s
    """,
    "workflow": f"""
        SELECT * FROM (
            SELECT w.name AS name, w.namespace, sum(a.cost) AS cost, CAST(sum(measured) AS bigint) AS measured,
                {_NAMED}
            FROM headgate.workspace_analytics_daily a
            JOIN headgate.workflows w ON w.workspace_id = a.workspace_id AND w.id = a.workflow_id
            WHERE a.workspace_id = %(workspace_id)s AND a.workflow_id <> %(whole)s AND a.day >= %(since)s
                AND a.day <= %(until)s AND a.cost IS NOT NULL
            GROUP BY w.namespace, w.name
        ) found
        WHERE (namespace || '/' || name) COLLATE "C" > %(after)s
        ORDER BY (namespace || '/' || name) COLLATE "C" LIMIT %(limit)s
    """,  # noqa: S608 - constants
    "label": """
        SELECT value AS name, NULL AS namespace, sum(cost) AS cost, 0 AS measured FROM headgate.label_costs_daily
        WHERE workspace_id = %(workspace_id)s AND key = %(key)s AND day >= %(since)s AND day <= %(until)s
            AND ('=' || value) COLLATE "C" > %(after)s
        GROUP BY value ORDER BY ('=' || value) COLLATE "C" LIMIT %(limit)s
    """,
}


async def costs(
    tx: Transaction, workspace_id: UUID, by: str, since: date, until: date, *, key: str, after: str, limit: int
) -> list[Any]:
    """What was spent, by ``day``, ``workflow`` or values of the ``label`` that ``key`` names, in their order."""
    parameters = {"workspace_id": workspace_id, "whole": WHOLE_WORKSPACE, "since": since, "until": until}
    return await tx.rows(_COSTS[by], parameters | {"key": key, "after": after, "limit": limit})


_TOTAL = f"""
    SELECT sum(cost) AS cost, CAST(coalesce(sum(measured), 0) AS bigint) AS measured, {_NAMED}
    FROM headgate.workspace_analytics_daily
    WHERE workspace_id = %(workspace_id)s AND workflow_id = %(whole)s AND day >= %(since)s AND day <= %(until)s
"""  # noqa: S608 - constants


async def total_cost(tx: Transaction, workspace_id: UUID, since: date, until: date) -> Any:
    """What was spent in all, NULL where nothing had a price, and what was used of what was requested."""
    parameters = {"workspace_id": workspace_id, "whole": WHOLE_WORKSPACE, "since": since, "until": until}
    return await tx.one(_TOTAL, parameters)


_WORKFLOW = """
    SELECT id FROM headgate.workflows
    WHERE workspace_id = %(workspace_id)s AND namespace = %(namespace)s AND name = %(name)s
    ORDER BY deleted_at DESC NULLS FIRST LIMIT 1
"""


async def workflow_id(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> UUID | None:
    """The workflow of that name: the one there is, or the last one there was."""
    parameters = {"workspace_id": workspace_id, "namespace": namespace, "name": name}
    found: UUID | None = await tx.value(_WORKFLOW, parameters)
    return found
