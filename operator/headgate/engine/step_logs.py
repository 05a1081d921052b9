"""Where the logs of attempts lie."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.api.workflow_run import NodePhase
from headgate.domain.task import TaskRef
from headgate.engine.context import Context, run_key
from headgate.engine.types import StepLog
from headgate.store import step_logs

_FIRST = datetime.min.replace(tzinfo=UTC)


async def record_log(
    context: Context, ref: TaskRef, path: str | None, size: int, *, truncated: bool, again: bool
) -> bool:
    """Note where an attempt's log lies. See ``Engine.record_log``."""
    key = run_key(ref.workspace_id, ref.run_id)
    if key is None:
        return False
    async with context.database.tenant(ref.workspace_id, lock=ref.run_id) as tx:
        if again:
            await step_logs.forget(tx, key, ref.node, ref.attempt, context.now())
        return await step_logs.record(tx, key, ref.node, ref.attempt, path=path, size=size, truncated=truncated)


async def logs_of(
    context: Context, workspace_id: UUID, run_id: UUID, node: str | None = None, attempt: int | None = None
) -> tuple[StepLog, ...]:
    """Those of the latest attempts of a run's nodes, or of what is named, in the order in which they started."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return ()
    async with context.database.tenant(workspace_id) as tx:
        rows = await step_logs.find(tx, key, node, attempt)
    # What has not started comes last.
    rows.sort(key=lambda row: (row.began is None, row.began or _FIRST, row.node))
    return tuple(_log(row, workspace_id, run_id) for row in rows)


def _log(row: Any, workspace_id: UUID, run_id: UUID) -> StepLog:
    return StepLog(
        TaskRef(workspace_id, run_id, row.node, row.attempt),
        NodePhase(row.phase),
        row.log_path,
        row.log_bytes,
        truncated=bool(row.log_truncated),
    )
