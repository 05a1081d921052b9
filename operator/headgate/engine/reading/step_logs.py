"""Where the logs of attempts lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from headgate.api.workflow_run import NodePhase
from headgate.domain.step_log import CutLog
from headgate.domain.task import TaskRef
from headgate.engine.archive.reading import ArchiveReader, Shown
from headgate.engine.context import Context, run_key
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.types import Execution, StepLog
from headgate.store import history, pool_logs, step_logs

_RUNNER = "runner"
_EXECUTED = frozenset({"container", "script", "http", "sql", "connector"})
"""What of a config a pod executes."""
_FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class WaitingLog:
    """What an attempt printed, on its way into the object store."""

    ref: TaskRef
    printed_at: datetime


class StepLogs:
    """Knows of logs. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def record(self, ref: TaskRef, path: str | None, size: int, *, truncated: bool, again: bool = False) -> bool:
        """Note, once, that an attempt's log lies at ``path``, and count its bytes as the workspace's.

        With ``again`` it takes the place of one that is noted: of an attempt that was executed once more.

        ``path`` is None for a log that is empty. False where nothing is to lie at the attempt's path: as there is no
        room for the log, which then counts as cut to nothing, or as an empty one took the place of another. How the
        attempt ended is not touched.
        """
        key = run_key(ref.workspace_id, ref.run_id)
        if key is None:
            return False
        async with self._context.database.tenant(ref.workspace_id, lock=ref.run_id) as tx:
            return await step_logs.record(
                tx, key, ref.node, ref.attempt, path=path, size=size, truncated=truncated, again=again
            )

    async def settled(self, workspace_id: UUID, refs: Sequence[TaskRef], *, with_logs: bool) -> frozenset[TaskRef]:
        """Those of the workspace's attempts whose end is recorded and, ``with_logs``, where their logs lie. One query.

        Of an attempt whose log was given up it is not known that it was, so that it is not among them.
        """
        known = ((run_key(workspace_id, ref.run_id), ref) for ref in refs)
        attempts = [(key, ref.node, ref.attempt) for key, ref in known if key is not None]
        async with self._context.database.tenant(workspace_id) as tx:
            found = await step_logs.settled(tx, workspace_id, attempts, with_logs=with_logs)
        return frozenset(TaskRef(workspace_id, *attempt) for attempt in found)

    async def of(self, workspace_id: UUID, run_id: UUID, node: str, attempt: int | None = None) -> StepLog | None:
        """What is kept of the log of an attempt, the node's latest unless one is named; None where there is none."""
        found = await self._find(workspace_id, run_id, node, attempt)
        return found[0] if found else None

    async def of_run(self, workspace_id: UUID, run_id: UUID) -> tuple[StepLog, ...]:
        """``of`` for every node that was attempted, in the order in which they started."""
        return await self._find(workspace_id, run_id)

    async def logless(self, workspace_id: UUID, run_id: UUID) -> frozenset[str]:
        """The nodes of the run that never have a log: none of their attempts is executed by a pod."""
        key = run_key(workspace_id, run_id)
        if key is None:
            return frozenset()
        async with self._context.database.tenant(workspace_id) as tx:
            row = await history.run(tx, key)
        if row is None:
            found = await ArchiveReader(self._context, self._context.archive).run(workspace_id, run_id)
            row = found.shown() if found is not None else None
        if row is None:
            return frozenset()
        try:
            async with self._context.database.tenant(workspace_id) as tx:
                definition = await self._context.definitions.get(tx, workspace_id, row.version_id)
        except UnreadableVersion:
            return frozenset()
        return frozenset(node.id for node in definition.graph.nodes if not _EXECUTED & node.config.to_wire().keys())

    async def execution(self, ref: TaskRef) -> Execution | None:
        """Where the attempt is executed; None where no pod does so: not yet, not any more, or never."""
        key = run_key(ref.workspace_id, ref.run_id)
        if key is None:
            return None
        async with self._context.database.tenant(ref.workspace_id) as tx:
            row = await step_logs.under_way(tx, key, ref.node, ref.attempt)
        if row is None or (row.kind == _RUNNER and row.holder is None):
            return None
        # A holder is a pod and its uid.
        runner = row.holder.partition("/")[0] if row.kind == _RUNNER else None
        return Execution(row.workspace, row.namespace, runner)

    async def waiting(self, limit: int) -> tuple[WaitingLog, ...]:
        """What attempts in pools printed and is not in the object store yet, in all workspaces, oldest first."""
        async with self._context.database.system() as tx:
            rows = await pool_logs.waiting(tx, limit)
        return tuple(
            WaitingLog(TaskRef(row.workspace_id, row.execution_id, row.node, row.attempt), row.printed_at)
            for row in rows
        )

    async def printed(self, ref: TaskRef) -> CutLog | None:
        """What an attempt printed that is in ``waiting``."""
        async with self._context.database.tenant(ref.workspace_id) as tx:
            return await pool_logs.printed(tx, ref)

    async def forget_printed(self, ref: TaskRef) -> None:
        """Have it wait no longer: it is in the object store, or is given up."""
        async with self._context.database.tenant(ref.workspace_id) as tx:
            await pool_logs.delete(tx, ref)

    async def _find(
        self, workspace_id: UUID, run_id: UUID, node: str | None = None, attempt: int | None = None
    ) -> tuple[StepLog, ...]:
        key = run_key(workspace_id, run_id)
        if key is None:
            return ()
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await step_logs.find(tx, key, node, attempt)
        if not rows:
            rows = _archived(
                await ArchiveReader(self._context, self._context.archive).steps(workspace_id, run_id), node, attempt
            )
        # What has not started comes last.
        rows.sort(key=lambda row: (row.began is None, row.began or _FIRST, row.node))
        return tuple(_log(row, workspace_id, run_id) for row in rows)


def _archived(steps: Sequence[Mapping[str, Any]], node: str | None, attempt: int | None) -> list[Any]:
    """What ``step_logs.find`` would give of an archived run."""
    wanted = [
        step
        for step in sorted(steps, key=lambda step: step["attempt"])
        if step["attempt"] > 0 and node in (None, step["node"]) and attempt in (None, step["attempt"])
    ]
    latest = {step["node"]: step for step in wanted}
    return [
        Shown({**step, "began": step["attempt_started_at"] or step["attempt_finished_at"]}) for step in latest.values()
    ]


def _log(row: Any, workspace_id: UUID, run_id: UUID) -> StepLog:
    return StepLog(
        TaskRef(workspace_id, run_id, row.node, row.attempt),
        NodePhase(row.phase),
        row.log_path,
        row.log_bytes,
        truncated=bool(row.log_truncated),
        started_at=row.began,
    )
