"""Statements about nodes that call other workflows. The task's ``job_uid`` is the id of the run that it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import RunKey
from headgate.store.tasks import TaskKey


@dataclass(frozen=True)
class TakenCall:
    """A call that is due: to be made or, where it has been made, to be ended."""

    key: TaskKey
    child: UUID | None
    """The run that it made."""
    stopping: bool
    """Whether it was asked to end, rather than that its time is over."""


_TAKE = """
    WITH taken AS (
        SELECT execution_id, node, attempt FROM headgate.tasks
        WHERE workspace_id = %(workspace_id)s AND kind = 'call' AND due_at <= %(now)s
        ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    UPDATE headgate.tasks t SET due_at = %(lease_until)s FROM taken k
    WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = k.execution_id AND t.node = k.node
        AND t.attempt = k.attempt
    RETURNING t.execution_id, t.node, t.attempt, t.job_uid, t.stopping
"""


async def take(
    tx: Transaction, workspace_id: UUID, *, now: datetime, lease_until: datetime, limit: int
) -> list[TakenCall]:
    """Lease up to ``limit`` due calls of a workspace. What another transaction takes right now is left to it."""
    parameters = {"workspace_id": workspace_id, "now": now, "lease_until": lease_until, "limit": limit}
    return [
        TakenCall(
            TaskKey(workspace_id, row.execution_id, row.node, row.attempt),
            UUID(row.job_uid) if row.job_uid else None,
            row.stopping,
        )
        for row in await tx.rows(_TAKE, parameters)
    ]


@dataclass(frozen=True)
class AskedCall:
    """A call that is still to be made, and what there is to know of the run that makes it."""

    namespace: str
    work: Mapping[str, Any]
    timeout_seconds: int
    status: str
    mode: str
    depth: int
    callers: Sequence[UUID]
    """The runs that wait for the end of that run."""


_FIND = """
    SELECT t.namespace, t.work, t.timeout_seconds, e.status, e.mode, e.depth, e.callers
    FROM headgate.tasks t
    JOIN headgate.workflow_executions e ON e.workspace_id = t.workspace_id AND e.started_at = %(started_at)s
        AND e.id = t.execution_id
    WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = %(run_id)s AND t.node = %(node)s
        AND t.attempt = %(attempt)s AND t.job_uid IS NULL
"""


async def find(tx: Transaction, key: TaskKey, run: RunKey) -> AskedCall | None:
    """The call, unless it was made or its attempt ended. To decide on it, hold the lock of its run."""
    row = await tx.row(_FIND, key.parameters() | run.parameters())
    return None if row is None else AskedCall(*row)


_SET_CHILD = """
    WITH running AS (
        UPDATE headgate.workflow_execution_steps SET phase = 'Running', attempt_started_at = %(now)s
        WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
            AND node = %(node)s AND attempt = %(attempt)s AND phase = 'Queued'
    )
    UPDATE headgate.tasks
    SET job_uid = %(child)s, due_at = %(deadline)s, waiting_reason = NULL, waiting_message = NULL, waiting_until = NULL
    WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND node = %(node)s AND attempt = %(attempt)s
"""


async def set_child(
    tx: Transaction,
    key: TaskKey,
    run: RunKey,
    child: UUID,
    *,
    now: datetime,
    deadline: datetime,
) -> None:
    """Record the run that a call made: the attempt runs from ``now`` on, waits for it, and is due at ``deadline``."""
    parameters = {"child": str(child), "now": now, "deadline": deadline}
    await tx.execute(_SET_CHILD, key.parameters() | run.parameters() | parameters)
