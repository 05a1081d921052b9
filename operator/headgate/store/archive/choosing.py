"""Statements that find what is to be archived, and read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.domain.archive import ARTIFACTS, RUNS, STEPS, Sized, month_start, next_month
from headgate.store.archive.columns import selected
from headgate.store.database import Transaction
from headgate.store.fragments import compact


@dataclass(frozen=True)
class Tree:
    """Runs that have not ended, and the runs that wait for those: what belongs to one of them is not archived."""

    open_runs: list[UUID]
    callers: list[UUID]


_TREE = """
    SELECT coalesce(array_agg(id), '{}') AS open_runs, coalesce((
        SELECT array_agg(DISTINCT c.id) FROM headgate.workflow_executions o CROSS JOIN LATERAL unnest(o.callers) c (id)
        WHERE o.workspace_id = %(workspace_id)s AND o.status IN ('Pending', 'Running', 'Suspended')
    ), '{}') AS callers
    FROM headgate.workflow_executions
    WHERE workspace_id = %(workspace_id)s AND status IN ('Pending', 'Running', 'Suspended')
"""


async def tree(tx: Transaction, workspace_id: UUID) -> Tree:
    """What of the workspace has not ended."""
    row = await tx.one(_TREE, {"workspace_id": workspace_id})
    return Tree(row.open_runs, row.callers)


# What waits to be acted on counts as not ended. Of a verified part the rows are still there: they are in it.
_MAY_GO = """e.workspace_id = %(workspace_id)s AND e.started_at < %(ended_before)s AND e.finished_at < %(ended_before)s
    AND e.id <> ALL (%(callers)s) AND NOT e.callers && %(open_runs)s
    AND NOT EXISTS (SELECT FROM headgate.run_endings r WHERE r.workspace_id = e.workspace_id AND r.run_id = e.id)
    AND NOT EXISTS (SELECT FROM headgate.tasks t WHERE t.workspace_id = e.workspace_id AND t.execution_id = e.id)
    AND NOT EXISTS (
        SELECT FROM headgate.archive_parts p
        WHERE p.workspace_id = e.workspace_id AND p.state = 'Verified' AND e.id BETWEEN p.first_run AND p.last_run
    )"""
_OLDEST = compact(f"""
    SELECT e.started_at FROM headgate.workflow_executions e WHERE {_MAY_GO} ORDER BY e.started_at, e.id LIMIT 1
""")  # noqa: S608 - constants


async def oldest(tx: Transaction, workspace_id: UUID, ended_before: datetime, of: Tree) -> datetime | None:
    """When the oldest run was admitted that may go, as it ended before then."""
    return await tx.value(_OLDEST, _parameters(workspace_id, ended_before, of))


# Inputs, outputs and events are what is large; the rest of a row is about as large as that of any other.
_CHOICE = compact(f"""
    SELECT c.id, c.started_at, s.steps, c.bytes + s.bytes AS bytes FROM (
        SELECT e.id, e.started_at, 512 + octet_length(CAST(e.inputs AS text))
            + coalesce(octet_length(CAST(e.outputs AS text)), 0)
            + coalesce(octet_length(CAST(e.event AS text)), 0) AS bytes
        FROM headgate.workflow_executions e
        WHERE e.started_at >= %(month)s AND e.started_at < %(month_end)s AND {_MAY_GO}
        ORDER BY e.started_at, e.id LIMIT %(limit)s
    ) c CROSS JOIN LATERAL (
        SELECT count(*) AS steps, coalesce(sum(512 + coalesce(octet_length(CAST(x.output AS text)), 0)), 0) AS bytes
        FROM headgate.workflow_execution_steps x
        WHERE x.workspace_id = %(workspace_id)s AND x.started_at = c.started_at AND x.execution_id = c.id
            AND x.started_at >= %(month)s AND x.started_at < %(month_end)s
    ) s
    ORDER BY c.started_at, c.id
""")  # noqa: S608 - constants


async def choice(
    tx: Transaction, workspace_id: UUID, month: date, ended_before: datetime, of: Tree, limit: int
) -> list[Sized]:
    """Up to ``limit`` runs of the month that may go, the oldest first."""
    parameters = _parameters(workspace_id, ended_before, of) | _span(month) | {"limit": limit}
    return [Sized(row.id, row.started_at, int(row.steps), int(row.bytes)) for row in await tx.rows(_CHOICE, parameters)]


_NAMED = "unnest(CAST(%(runs)s AS uuid[]), CAST(%(times)s AS timestamptz[])) AS n (id, started_at)"
_RUNS = f"""
    SELECT {selected(RUNS, "e")} FROM {_NAMED} JOIN headgate.workflow_executions e
        ON e.workspace_id = %(workspace_id)s AND e.started_at = n.started_at AND e.id = n.id
    WHERE e.started_at >= %(month)s AND e.started_at < %(month_end)s
    ORDER BY e.started_at, e.id
"""  # noqa: S608 - constants
_STEPS = f"""
    SELECT {selected(STEPS, "s")} FROM {_NAMED} JOIN headgate.workflow_execution_steps s
        ON s.workspace_id = %(workspace_id)s AND s.started_at = n.started_at AND s.execution_id = n.id
    WHERE s.started_at >= %(month)s AND s.started_at < %(month_end)s
    ORDER BY s.started_at, s.execution_id, s.node, s.attempt
"""  # noqa: S608 - constants
_ARTIFACTS = f"""
    SELECT {selected(ARTIFACTS, "a")} FROM {_NAMED} JOIN headgate.run_artifacts a
        ON a.workspace_id = %(workspace_id)s AND a.started_at = n.started_at AND a.execution_id = n.id
    WHERE a.started_at >= %(month)s AND a.started_at < %(month_end)s
    ORDER BY a.started_at, a.execution_id, a.node, a.attempt, a.name
"""  # noqa: S608 - constants
_ROWS = {RUNS: _RUNS, STEPS: _STEPS, ARTIFACTS: _ARTIFACTS}


async def rows(tx: Transaction, kind: str, workspace_id: UUID, month: date, runs: Sequence[Sized]) -> list[Any]:
    """The rows of these runs as files have them, in the order of the runs."""
    return await tx.rows(_ROWS[kind], {"workspace_id": workspace_id, **named(runs), **_span(month)})


def named(runs: Sequence[Sized]) -> dict[str, Any]:
    """These runs, as parameters ``runs`` and ``times``."""
    return {"runs": [run.run_id for run in runs], "times": [run.started_at for run in runs]}


def _parameters(workspace_id: UUID, ended_before: datetime, of: Tree) -> dict[str, Any]:
    return {"workspace_id": workspace_id, "ended_before": ended_before, **vars(of)}


def _span(month: date) -> dict[str, datetime]:
    return {"month": month_start(month), "month_end": month_start(next_month(month))}


_POLICY = """
    SELECT execution_logs_days, audit_logs_days, compliance_logs_days, legal_hold
    FROM headgate.data_retention_policies
    WHERE workspace_id = %(workspace_id)s
"""


@dataclass(frozen=True)
class Policy:
    """How long a workspace keeps what."""

    executions: timedelta
    audit: timedelta
    compliance: timedelta
    legal_hold: bool


async def policy(tx: Transaction, workspace_id: UUID) -> Policy | None:
    """The workspace's policy."""
    row = await tx.row(_POLICY, {"workspace_id": workspace_id})
    if row is None:
        return None
    days = (row.execution_logs_days, row.audit_logs_days, row.compliance_logs_days)
    executions, audit, compliance = (timedelta(days=each) for each in days)
    return Policy(executions, audit, compliance, row.legal_hold)
