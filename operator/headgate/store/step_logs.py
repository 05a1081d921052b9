"""Statements about the logs of attempts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import RunKey, to_json

_STEP = """workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
    AND node = %(node)s AND attempt = %(attempt)s"""

_RECORD = f"""
    WITH before AS MATERIALIZED (
        SELECT log_path, coalesce(log_bytes, 0) AS bytes FROM headgate.workflow_execution_steps
        WHERE {_STEP} AND (log_bytes IS NULL OR %(again)s)
    ), kept AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, %(bytes)s - bytes) AS fits, bytes FROM before
    ), freed AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, -bytes) FROM kept WHERE NOT fits
    ), recorded AS (
        UPDATE headgate.workflow_execution_steps SET
            log_path = CASE WHEN fits THEN CAST(%(path)s AS text) END,
            log_bytes = CASE WHEN fits THEN CAST(%(bytes)s AS bigint) ELSE 0 END,
            log_truncated = CAST(%(truncated)s AS boolean) OR NOT fits
        FROM kept WHERE {_STEP} AND (SELECT count(*) FROM freed) >= 0
    )
    SELECT coalesce((SELECT fits AND (CAST(%(path)s AS text) IS NOT NULL OR log_path IS NULL) FROM kept, before), (
        SELECT log_path IS NOT NULL FROM headgate.workflow_execution_steps WHERE {_STEP}
    ), false)
"""  # noqa: S608 - constants


async def record(
    tx: Transaction,
    key: RunKey,
    node: str,
    attempt: int,
    *,
    path: str | None,
    size: int,
    truncated: bool,
    again: bool = False,
) -> bool:
    """Note where an attempt's log lies, once, and count its bytes. Whether what lies there is to stay.

    It is not where it does not fit into what the workspace may keep, where there is no such attempt, or where an empty
    log takes the place of one that is noted: one is only taken ``again``. Hold the run's lock, so that bytes are not
    counted twice.
    """
    parameters = {"node": node, "attempt": attempt, "path": path, "bytes": size, "truncated": truncated, "again": again}
    return bool(await tx.value(_RECORD, key.parameters() | parameters))


_FIND = """
    SELECT DISTINCT ON (node) node, attempt, phase, coalesce(attempt_started_at, attempt_finished_at) AS began,
        log_path, log_bytes, log_truncated
    FROM headgate.workflow_execution_steps
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
        AND attempt > 0
        AND (CAST(%(node)s AS text) IS NULL OR node = %(node)s)
        AND (CAST(%(attempt)s AS integer) IS NULL OR attempt = %(attempt)s)
    ORDER BY node, attempt DESC
"""


async def find(tx: Transaction, key: RunKey, node: str | None = None, attempt: int | None = None) -> list[Any]:
    """The latest attempts of the run's nodes, or those that are named, with where their logs lie."""
    return await tx.rows(_FIND, key.parameters() | {"node": node, "attempt": attempt})


_SETTLED = """
    SELECT a.execution_id, a.node, a.attempt
    FROM jsonb_to_recordset(CAST(%(attempts)s AS jsonb))
        AS a (execution_id uuid, started_at timestamptz, node text, attempt integer)
    CROSS JOIN LATERAL (
        SELECT s.phase, s.log_bytes FROM headgate.workflow_execution_steps s
        WHERE s.workspace_id = %(workspace_id)s AND s.started_at = a.started_at AND s.execution_id = a.execution_id
            AND s.node = a.node AND s.attempt = a.attempt
        LIMIT 1
    ) s
    WHERE s.phase IN ('Succeeded', 'Failed', 'Skipped', 'Cancelled')
        AND (s.log_bytes IS NOT NULL OR NOT CAST(%(with_logs)s AS boolean))
"""


async def settled(
    tx: Transaction, workspace_id: UUID, attempts: Iterable[tuple[RunKey, str, int]], *, with_logs: bool
) -> list[tuple[UUID, str, int]]:
    """Those of these attempts (run, node and number) whose end is recorded and, ``with_logs``, their logs too."""
    listed = [
        {"execution_id": str(key.id), "started_at": key.started_at, "node": node, "attempt": attempt}
        for key, node, attempt in attempts
    ]
    parameters = {"workspace_id": workspace_id, "attempts": to_json(listed), "with_logs": with_logs}
    return [(row.execution_id, row.node, row.attempt) for row in await tx.rows(_SETTLED, parameters)]


_UNDER_WAY = """
    SELECT t.namespace, t.kind, t.holder, w.name AS workspace
    FROM headgate.tasks t JOIN headgate.workspaces w ON w.id = t.workspace_id
    WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = %(run_id)s AND t.node = %(node)s
        AND t.attempt = %(attempt)s AND t.kind IN ('job', 'runner')
"""


async def under_way(tx: Transaction, key: RunKey, node: str, attempt: int) -> Any:
    """Where a pod may execute the attempt; None where none does, or not any more."""
    return await tx.row(_UNDER_WAY, key.parameters() | {"node": node, "attempt": attempt})
