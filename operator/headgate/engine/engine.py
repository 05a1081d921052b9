"""The engine's use cases in one place. Every one is a transaction that any replica can do, and may repeat."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from headgate.api.container import SecretKeyRef
from headgate.api.workflow import WorkflowSpec
from headgate.domain.runner_task import OpenRunnerTask, RunnerTask
from headgate.engine import (
    admission,
    breakers,
    cancellation,
    chaining,
    completion,
    dispatch,
    history,
    pending,
    runner_tasks,
    schedules,
    step_logs,
    workflows,
    workspaces,
)
from headgate.engine.context import Context
from headgate.engine.run_control import RunControl
from headgate.engine.types import (
    Admitted,
    Claimed,
    Effects,
    Evaluator,
    Fired,
    JobTask,
    Outcome,
    Refused,
    RunFilter,
    RunPage,
    RunRequest,
    RunView,
    ScheduleView,
    StepLog,
    TaskRef,
    VersionRecord,
    Waiting,
    WorkspaceRecord,
    WorkspaceUsage,
)
from headgate.engine.versions import Versions
from headgate.store import maintenance, open_runs
from headgate.store.database import Database
from headgate.store.errors import PartitionMissing
from headgate.store.runs import Room
from headgate.store.schedules import ScheduleKey

_log = structlog.get_logger(__name__)

MONTHS_AHEAD = 3
"""Months after the present one whose partitions are made ahead of time."""


class Engine:
    """Runs workflows. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(
        self,
        database: Database,
        evaluator: Evaluator,
        *,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """``clock`` gives the time with its zone, ``randomness`` as many unpredictable bytes as it is asked for."""
        self._context = Context(database, clock, randomness, evaluator)
        self.control = RunControl(self._context, self._make_use)
        """What people do with runs."""
        self.versions = Versions(self._context)
        """What workflows were before."""

    async def ping(self) -> None:
        """Return when Postgres answers. Raises ``DatabaseUnavailable``, or ``DatabaseNotMigrated``."""
        async with self._context.database.system() as tx:
            await maintenance.check(tx)

    async def ensure_partitions(self, now: datetime) -> int:
        """Make the partitions of the month of ``now`` and the next ones. Returns how many were missing."""
        async with self._context.database.system() as tx:
            return await maintenance.ensure_partitions(tx, now, MONTHS_AHEAD)

    async def sync_workspace(self, record: WorkspaceRecord) -> UUID:
        """Record a workspace under its active name, and return its id. Writes nothing when nothing changed.

        What it uses moves along with it to another pot, or to limits of its own. Runs that wait may have room
        afterwards: ``start_pending`` starts them.
        """
        return await workspaces.sync_workspace(self._context, record)

    async def workspace_id(self, name: str) -> UUID | None:
        """The id of the workspace of that name, or None when none is recorded."""
        return await workspaces.workspace_id(self._context, name)

    async def usage(self) -> tuple[WorkspaceUsage, ...]:
        """What every active workspace uses right now. One query, however many there are."""
        return await workspaces.usage(self._context)

    async def reset_breaker(self, workspace_id: UUID, token: str) -> Effects:
        """Close the workspace's circuit breaker, once for every new token. Runs that wait for it may start then."""
        effects = await breakers.reset_breaker(self._context, workspace_id, token)
        return await self._and_start_pending(effects, workspace_id) if effects.breakers else effects

    async def running_runs(self, name: str) -> int:
        """How many runs of the workspace of that name are under way; none where there is no such workspace."""
        return await workspaces.running_runs(self._context, name)

    async def suspend_workspace(self, name: str) -> None:
        """Let no run of the workspace of that name start, for as long as it is not recorded otherwise."""
        await workspaces.suspend_workspace(self._context, name)

    async def retire_workspace(self, name: str) -> Effects:
        """End a workspace for good: its runs are cancelled, and its name is free for a new one. History stays."""
        return await workspaces.retire_workspace(self._context, name)

    async def record_version(self, workspace_id: UUID, namespace: str, name: str, spec: WorkflowSpec) -> VersionRecord:
        """Make ``spec`` the version that new runs of the workflow start with, adding it when its content is new.

        Also sets whether the workflow is suspended, and its schedules: a new or changed one ticks first after now, an
        unchanged one keeps its next tick. Writes nothing when nothing changed. Raises ``DefinitionError``. Runs that
        wait for the workflow may start afterwards: ``start_pending`` starts them.
        """
        return await workflows.record_version(self._context, workspace_id, namespace, name, spec)

    async def retire_workflow(self, workspace_id: UUID, namespace: str, name: str) -> None:
        """End a workflow that was deleted: no run of it starts any more. Runs under way go on, and history stays."""
        await workflows.retire_workflow(self._context, workspace_id, namespace, name)

    async def schedule_view(self, workspace_id: UUID, namespace: str, name: str) -> ScheduleView:
        """When the workflow's schedules ticked last and tick next, and which of them made no run."""
        return await schedules.view(self._context, workspace_id, namespace, name)

    async def fire_due(self, now: datetime) -> Fired:
        """Make the runs of all schedules that tick, each tick once, and say when the next one does.

        What is suspended does not tick; when it goes on, the schedule's ``missedRuns`` decides what becomes of the
        ticks that passed. A schedule that fails is logged, stays due, and does not disturb the others.
        """
        keys, next_due = await schedules.due_schedules(self._context, now)
        fired = [await self._fire(key, now) for key in keys]
        effects, workflows = Effects(), set[tuple[str, str]]()
        for ticked in fired:
            if ticked is not None:
                effects |= ticked.effects
                workflows |= {ticked.workflow} if ticked.workflow is not None else set()
        behind = {key.workspace_id for key, ticked in zip(keys, fired, strict=True) if ticked and ticked.behind}
        for workspace_id in behind:
            effects = await self._and_start_pending(effects, workspace_id)
        return Fired(effects, frozenset(workflows), next_due)

    async def _fire(self, key: ScheduleKey, now: datetime) -> schedules.Ticked | None:
        try:
            return await schedules.fire_safely(self._context, key, now)
        except PartitionMissing:
            await self.ensure_partitions(now)
            return await schedules.fire_safely(self._context, key, now)

    async def chain_runs(self, now: datetime) -> Fired:
        """Act on the ends of runs and start the runs that nodes call, as far as they are due, and say when more is.

        The attempt that called a run ends with it, and event triggers start their runs, each once for each ending. A
        called run ends with the run that called it, and when its node's timeout is over. What fails is logged, stays
        due, and does not disturb the others.
        """
        return await chaining.chain_runs(self._context, self, now)

    async def admit(self, request: RunRequest) -> tuple[Admitted | Refused, Effects]:
        """Admit a run; the same key gives the same run again.

        Where the workspace has no room the run is Pending, and its view says why. A refusal writes nothing, so that
        the request may succeed later, once what was wrong has been mended.
        """
        try:
            answer, effects, queue = await admission.admit(self._context, request)
        except PartitionMissing:
            await self.ensure_partitions(self._context.clock())
            answer, effects, queue = await admission.admit(self._context, request)
        if queue:
            effects = await self._and_start_pending(effects, request.workspace_id)
        return answer, effects

    async def start_pending(self, workspace_id: UUID) -> Effects:
        """Start the workspace's Pending runs for which there is room, by priority and then the oldest first."""
        return await pending.start_pending(self._context, workspace_id)

    async def _and_start_pending(self, effects: Effects, workspace_id: UUID) -> Effects:
        """``start_pending`` after a transaction whose effects must be heard of whatever comes of it."""
        return await self._and(effects, self.start_pending(workspace_id), workspace_id=str(workspace_id))

    async def _and(self, effects: Effects, starting: Awaitable[Effects], **about: str) -> Effects:
        try:
            return effects | await starting
        except Exception:
            # What was not started now is by the next ``start_all_pending``.
            _log.warning("pending_runs_not_started", exc_info=True, **about)
            return effects

    async def start_all_pending(self) -> Effects:
        """``start_pending`` for every workspace that has Pending runs. Call every few seconds, as a net."""
        return await pending.start_all_pending(self._context)

    async def claim_jobs(
        self,
        holder: str,
        limit: int,
        now: datetime,
        lease: timedelta = timedelta(seconds=15),
        leave: Collection[UUID] = (),
    ) -> Claimed:
        """Take up to ``limit`` attempts that are due, workspaces taking turns. No two claimers get the same one.

        They are the holder's until ``record_jobs`` says that their Jobs exist. Those for which that does not happen
        within ``lease`` can be claimed again, with the same content. Those of the runs in ``leave`` are left to others.
        """
        return await dispatch.claim_jobs(self._context, holder, limit, now, lease, leave)

    async def give_back(self, holder: str, refs: Iterable[TaskRef], now: datetime) -> None:
        """End the holder's claims of attempts at once: another replica may take them."""
        await dispatch.give_back(self._context, holder, refs, now)

    async def record_jobs(self, jobs: Iterable[tuple[TaskRef, str]]) -> Effects:
        """Remember that the Jobs of attempts exist, by uid. Attempts that ended meanwhile come back as cancelled."""
        return await dispatch.record_jobs(self._context, jobs)

    async def open_tasks(self) -> tuple[JobTask, ...]:
        """Every attempt that has not ended, in all workspaces: what recovery compares with the Jobs that exist."""
        return await dispatch.open_tasks(self._context)

    async def mark_running(self, ref: TaskRef, started_at: datetime) -> Effects:
        """Record that an attempt runs. Changes nothing when that is known, or the attempt has ended."""
        return await dispatch.mark_running(self._context, ref, started_at)

    async def record_waiting(self, ref: TaskRef, waiting: Waiting | None) -> Effects:
        """Record what an attempt waits for, or with None that it does not. Writes nothing when that is known."""
        return await dispatch.record_waiting(self._context, ref, waiting)

    async def claim_runner(
        self, workspace_id: UUID, namespace: str, run_id: UUID | None, holder: str, lease: timedelta
    ) -> tuple[RunnerTask | None, Effects]:
        """Take the next attempt for a runner of the run, or of any run of the namespace. No two holders get the same.

        It is the holder's until the lease runs out, and can be claimed again then, as the same attempt.
        """
        return await runner_tasks.claim(self._context, workspace_id, namespace, run_id, holder, lease)

    async def heartbeat_runner(self, ref: TaskRef, holder: str, lease: timedelta) -> bool:
        """Make the holder's lease end that much after now. Returns whether the holder is asked to end the attempt.

        Raises ``LeaseLost``: then it has to give up the attempt.
        """
        return await runner_tasks.heartbeat(self._context, ref, holder, lease)

    async def complete_runner(
        self, ref: TaskRef, namespace: str, outcome: Outcome, holder: str, lease: timedelta
    ) -> tuple[RunnerTask | None, Effects]:
        """``complete``, and then ``claim_runner`` of the same run: what the holder may go on with, or None.

        Raises ``LeaseLost`` where the attempt is not the holder's any more; then nothing was recorded.
        """
        effects = await self.complete(ref, outcome, holder=holder)
        try:
            task, claimed = await self.claim_runner(ref.workspace_id, namespace, ref.run_id, holder, lease)
        except Exception:
            # What was recorded must be heard of; the holder asks again for what there is to do.
            _log.warning("next_task_not_claimed", exc_info=True, run_id=str(ref.run_id))
            return None, effects
        return task, effects | claimed

    async def release_runner(self, workspace_id: UUID, run_id: UUID, holders: str) -> int:
        """Make claimable at once what holders whose names begin with ``holders``, and who are gone, have of a run.

        It counts as a loss for these attempts; where there are none, for all that were due.
        """
        return await runner_tasks.release(self._context, workspace_id, run_id, holders)

    async def open_runner_tasks(self) -> tuple[OpenRunnerTask, ...]:
        """Every attempt for a runner that has not ended, in all workspaces, those of a run together."""
        return await runner_tasks.open_tasks(self._context)

    async def runner_nodes(self, workspace_id: UUID, run_id: UUID) -> frozenset[str]:
        """The nodes of the run's version that runners execute."""
        return await runner_tasks.nodes(self._context, workspace_id, run_id)

    async def runner_secrets(self, workspace_id: UUID, run_id: UUID) -> tuple[SecretKeyRef, ...]:
        """References to what a runner has to read to execute any node of the run's version."""
        return await runner_tasks.secrets(self._context, workspace_id, run_id)

    async def complete(self, ref: TaskRef, outcome: Outcome, *, holder: str | None = None) -> Effects:
        """Record how an attempt ended, with all that follows: a retry, the next nodes, the end of the run.

        Recording it once more changes nothing. Where the run ends, Pending runs of its workspace start. With ``holder``
        it raises ``LeaseLost``, and records nothing, where the attempt is not open or not that holder's any more.
        """
        effects, room = await completion.complete(self._context, ref, outcome, holder=holder)
        return await self._make_use(effects, ref.workspace_id, room)

    async def _make_use(self, effects: Effects, workspace_id: UUID, room: Room) -> Effects:
        if room.waiting:
            effects = await self._and_start_pending(effects, workspace_id)
        if room.pot is not None:
            effects = await self._and(effects, pending.start_in_pot(self._context, room.pot), pot=room.pot)
        return effects

    async def cancel_run(self, workspace_id: UUID, run_id: UUID, reason: str) -> Effects:
        """End a run: nodes that have not ended are Cancelled. The effects list attempts whose Jobs are to be ended."""
        effects = await cancellation.cancel_run(self._context, workspace_id, run_id, reason)
        return await self._and_start_pending(effects, workspace_id) if effects.finished else effects

    async def cancel_resource(self, workspace_id: UUID, trigger_key: str) -> Effects:
        """Cancel the run that the request with this key made; where it made none yet, see to it that it never does."""
        effects = await cancellation.cancel_resource(self._context, workspace_id, trigger_key)
        return await self._and_start_pending(effects, workspace_id) if effects.finished else effects

    async def expire_runs(self, now: datetime) -> Effects:
        """Fail the runs that took longer than their workflow's ``timeout``, cancelling what is left of them."""
        effects, workspaces = await cancellation.expire_runs(self._context, now)
        for workspace_id in workspaces:
            effects = await self._and_start_pending(effects, workspace_id)
        return effects

    async def open_resource_keys(self) -> tuple[tuple[UUID, str], ...]:
        """Workspace and key of the open runs that a WorkflowRun mirrors, in all workspaces."""
        async with self._context.database.system() as tx:
            return tuple(await open_runs.open_keys_of_resources(tx))

    async def run_by_key(self, workspace_id: UUID, trigger_key: str) -> RunView | None:
        """The run that the request with this key made, or None where it made none."""
        return await history.run_by_key(self._context, workspace_id, trigger_key)

    async def list_runs(
        self, workspace_id: UUID, filters: RunFilter, cursor: str | None = None, limit: int = 50
    ) -> RunPage:
        """Runs of the workspace, newest first, from ``cursor`` on. ``limit`` is from 1 to 500.

        Raises ``ValueError`` for a cursor that is not one, or another limit.
        """
        return await history.list_runs(self._context, workspace_id, filters, cursor, limit)

    async def run_view(self, workspace_id: UUID, run_id: UUID) -> RunView | None:
        """A run as recorded, or None when the workspace has no such run."""
        return await history.run_view(self._context, workspace_id, run_id)

    async def record_log(
        self, ref: TaskRef, path: str | None, size: int, *, truncated: bool, again: bool = False
    ) -> bool:
        """Note, once, that an attempt's log lies at ``path``, and count its bytes as the workspace's.

        With ``again`` it takes the place of one that is noted: of an attempt that was executed once more.

        ``path`` is None for a log that is empty. False where it is not to be kept, as there is no room for it: then the
        attempt's log counts as cut to nothing. How the attempt ended is not touched.
        """
        return await step_logs.record_log(self._context, ref, path, size, truncated=truncated, again=again)

    async def log_of(self, workspace_id: UUID, run_id: UUID, node: str, attempt: int | None = None) -> StepLog | None:
        """What is kept of the log of an attempt, the node's latest unless one is named; None where there is none."""
        found = await step_logs.logs_of(self._context, workspace_id, run_id, node, attempt)
        return found[0] if found else None

    async def logs_of_run(self, workspace_id: UUID, run_id: UUID) -> tuple[StepLog, ...]:
        """``log_of`` for every node that was attempted, in the order in which they started."""
        return await step_logs.logs_of(self._context, workspace_id, run_id)
