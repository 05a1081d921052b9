"""Hands attempts to runners, one at a time and for the length of a lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from headgate.api.container import SecretKeyRef
from headgate.api.node import Node
from headgate.domain.runner_task import KINDS, OpenRunnerTask, RunnerTask, secrets_of_all
from headgate.domain.step_log import CutLog
from headgate.engine.context import Context, run_key
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.starting.starter import Starter
from headgate.engine.steps.completions import Completions
from headgate.engine.steps.going_on import Claimant, claim
from headgate.engine.types import Effects, LeaseLost, Outcome, TaskRef
from headgate.store import pool_logs, runner_tasks, runs
from headgate.store.at_once import OneStatement
from headgate.store.database import Transaction
from headgate.store.tasks import TaskKey


class RunnerTasks:
    """Serves runners. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(self, context: Context, starter: Starter, completions: Completions) -> None:
        self._context = context
        self._starter = starter
        self._completions = completions

    async def claim(
        self,
        workspace_id: UUID,
        namespace: str,
        run_id: UUID | None,
        holder: str,
        lease: timedelta,
        kinds: Collection[str] = KINDS,
    ) -> tuple[RunnerTask | None, Effects]:
        """Take the next attempt for a runner of the run or, for one of a pool, one of these kinds of the namespace.

        No two holders get the same. It is the holder's until the lease runs out, and can be claimed again then, as the
        same attempt. Its node runs.
        """
        claimant = Claimant(holder, namespace, lease, run_id, kinds)
        async with self._context.database.tenant(workspace_id, by_index=True) as tx:
            task = await claim(self._context, tx, workspace_id, claimant)
        return task, _taken(task)

    async def heartbeat(self, ref: TaskRef, holder: str, lease: timedelta) -> bool:
        """Make the holder's lease end that much after now. Returns whether the holder is asked to end the attempt.

        Raises ``LeaseLost``: then it has to give up the attempt.
        """
        now = self._context.now()
        tx = OneStatement(self._context.database, ref.workspace_id)
        stopping = await runner_tasks.extend(tx, _key(ref), holder, now, now + lease)
        if stopping is None:
            raise LeaseLost(ref)
        return stopping

    async def complete(
        self,
        ref: TaskRef,
        namespace: str,
        outcome: Outcome,
        holder: str,
        lease: timedelta,
        kinds: Collection[str] | None = None,
        printed: CutLog | None = None,
    ) -> tuple[RunnerTask | None, Effects]:
        """``Engine.complete``, and ``claim`` in the same transaction: what the holder may go on with, or None.

        That is of the same run or, with ``kinds``, for a runner of a pool. Raises ``LeaseLost`` where the attempt is
        not open or not the holder's any more; then nothing was recorded. What the attempt ``printed`` waits in the same
        transaction to be put into the object store.
        """
        if kinds is None:
            claimant = Claimant(holder, namespace, lease, ref.run_id)
        else:
            claimant = Claimant(holder, namespace, lease, kinds=kinds)

        then = None
        if printed is not None and printed.content:
            then = partial(_print, ref=ref, printed=printed, now=self._context.now())
        recorded = await self._completions.complete(ref, outcome, claimant=claimant, then=then)
        effects = recorded.effects | _taken(recorded.following)
        return recorded.following, await self._starter.make_use(effects, ref.workspace_id, recorded.room)

    async def give_back(self, ref: TaskRef, holder: str) -> Effects:
        """End the holder's lease: it does not end the attempt, and another one may begin it at once.

        Raises ``LeaseLost`` where it is not the holder's.
        """
        async with self._context.database.tenant(ref.workspace_id) as tx:
            namespace = await runner_tasks.give_back(tx, _key(ref), holder, self._context.now())
        if namespace is None:
            raise LeaseLost(ref)
        return Effects(frozenset([ref.run_id]), tasks_queued=True, for_runners=KINDS)

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


async def _print(tx: Transaction, *, ref: TaskRef, printed: CutLog, now: datetime) -> None:
    await pool_logs.add(tx, ref, printed, now)


def _taken(task: RunnerTask | None) -> Effects:
    return Effects() if task is None else Effects(frozenset([task.ref.run_id]))


def _key(ref: TaskRef) -> TaskKey:
    return TaskKey(ref.workspace_id, ref.run_id, ref.node, ref.attempt)
