"""Hands attempts to runners, one at a time and for the length of a lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from headgate.api.container import SecretKeyRef
from headgate.api.node import Node
from headgate.domain.runner_task import KINDS, OpenRunnerTask, RunnerTask, secrets_of_all
from headgate.engine import completion
from headgate.engine.context import Context, run_key
from headgate.engine.definition import UnreadableVersion
from headgate.engine.starter import Starter
from headgate.engine.types import Effects, LeaseLost, Outcome, TaskRef
from headgate.store import runner_tasks, runs, tasks
from headgate.store.tasks import TaskKey

_log = structlog.get_logger(__name__)


class RunnerTasks:
    """Serves runners. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(self, context: Context, starter: Starter) -> None:
        self._context = context
        self._starter = starter

    async def claim(
        self, workspace_id: UUID, namespace: str, run_id: UUID | None, holder: str, lease: timedelta
    ) -> tuple[RunnerTask | None, Effects]:
        """Take the next attempt for a runner of the run, or of any run of the namespace. No two holders get the same.

        It is the holder's until the lease runs out, and can be claimed again then, as the same attempt. Its node runs.
        """
        now = self._context.now()
        async with self._context.database.tenant(workspace_id) as tx:
            task = await runner_tasks.claim(
                tx, workspace_id, namespace, run_id, holder=holder, now=now, lease_until=now + lease
            )
            if task is None:
                return None, Effects()
            key = run_key(workspace_id, task.ref.run_id)
            if key is not None:
                await tasks.mark_running(tx, _key(task.ref), key.started_at, now)
        return task, Effects(frozenset([task.ref.run_id]))

    async def heartbeat(self, ref: TaskRef, holder: str, lease: timedelta) -> bool:
        """Make the holder's lease end that much after now. Returns whether the holder is asked to end the attempt.

        Raises ``LeaseLost``: then it has to give up the attempt.
        """
        now = self._context.now()
        async with self._context.database.tenant(ref.workspace_id) as tx:
            stopping = await runner_tasks.extend(tx, _key(ref), holder, now, now + lease)
        if stopping is None:
            raise LeaseLost(ref)
        return stopping

    async def complete(
        self, ref: TaskRef, namespace: str, outcome: Outcome, holder: str, lease: timedelta
    ) -> tuple[RunnerTask | None, Effects]:
        """``Engine.complete``, and then ``claim`` of the same run: what the holder may go on with, or None.

        Raises ``LeaseLost`` where the attempt is not open or not the holder's any more; then nothing was recorded.
        """
        effects, room = await completion.complete(self._context, ref, outcome, holder=holder)
        effects = await self._starter.make_use(effects, ref.workspace_id, room)
        try:
            task, claimed = await self.claim(ref.workspace_id, namespace, ref.run_id, holder, lease)
        except Exception:
            # What was recorded must be heard of; the holder asks again for what there is to do.
            _log.warning("next_task_not_claimed", exc_info=True, run_id=str(ref.run_id))
            return None, effects
        return task, effects | claimed

    async def release(self, workspace_id: UUID, run_id: UUID, holders: str) -> int:
        """Make claimable at once what holders whose names begin with ``holders``, and who are gone, have of a run.

        It counts as a loss for these attempts; where there are none, for all that were due.
        """
        async with self._context.database.tenant(workspace_id) as tx:
            return await runner_tasks.release(tx, workspace_id, run_id, holders, self._context.now())

    async def open(self) -> tuple[OpenRunnerTask, ...]:
        """Every attempt for a runner that has not ended, in all workspaces, those of a run together."""
        async with self._context.database.system() as tx:
            return tuple(await runner_tasks.open_tasks(tx))

    async def nodes(self, workspace_id: UUID, run_id: UUID) -> frozenset[str]:
        """The nodes of the run's version that runners execute."""
        found = await _nodes(self._context, workspace_id, run_id)
        return frozenset(node.id for node in found if any(getattr(node.config, kind) is not None for kind in KINDS))

    async def secrets(self, workspace_id: UUID, run_id: UUID) -> tuple[SecretKeyRef, ...]:
        """References to what a runner has to read to execute any node of the run's version."""
        return secrets_of_all(node.config for node in await _nodes(self._context, workspace_id, run_id))


async def _nodes(context: Context, workspace_id: UUID, run_id: UUID) -> Sequence[Node]:
    key = run_key(workspace_id, run_id)
    if key is None:
        return ()
    async with context.database.tenant(workspace_id) as tx:
        run = await runs.load(tx, key)
        if run is None:
            return ()
        try:
            definition = await context.definitions.get(tx, workspace_id, run.version_id)
        except UnreadableVersion:
            return ()
    return definition.graph.nodes


def _key(ref: TaskRef) -> TaskKey:
    return TaskKey(ref.workspace_id, ref.run_id, ref.node, ref.attempt)
