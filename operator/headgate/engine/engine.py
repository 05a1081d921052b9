"""The engine's use cases in one place. Every one is a transaction that any replica can do, and may repeat."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from uuid import UUID

from headgate.domain.audit_keys import SigningKeys
from headgate.domain.cost import Footprint
from headgate.domain.envelope import KeyRing
from headgate.domain.prices import PriceTable
from headgate.engine import partitions
from headgate.engine.archive.archiver import Archiver
from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.context import Context
from headgate.engine.definitions.changes import DefinitionChanges
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.parts import Parts
from headgate.engine.reading import history
from headgate.engine.starting.admissions import Admissions
from headgate.engine.starting.handing import Waiters
from headgate.engine.starting.starter import Starter
from headgate.engine.steps import dispatch
from headgate.engine.steps.completions import Completions
from headgate.engine.triggers import chaining, schedules
from headgate.engine.types import (
    Admitted,
    Claimed,
    ClaimTerms,
    Effects,
    Evaluator,
    Fired,
    JobTask,
    NodeView,
    Outcome,
    Refused,
    RunFilter,
    RunPage,
    RunRequest,
    RunView,
    TaskRef,
    Waiting,
)
from headgate.objects.object_store import ObjectStore
from headgate.store import maintenance, open_runs
from headgate.store.database import Database
from headgate.store.lent_calls import LentCalls
from headgate.store.standby import Standby


class Engine(Parts):
    """Runs workflows. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(
        self,
        database: Database,
        evaluator: Evaluator,
        *,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes] = secrets.token_bytes,
        keys: KeyRing | None = None,
        reads: DefinitionReads | None = None,
        changes: DefinitionChanges | None = None,
        prices: PriceTable | None = None,
        standby: Standby | None = None,
        archive: ObjectStore | None = None,
    ) -> None:
        """``clock`` gives the time with its zone, ``randomness`` as many unpredictable bytes as it is asked for.

        ``keys`` are the key-encryption keys, without which no credential is kept or handed out. ``reads`` remembers
        definitions that are looked at, and ``changes`` is told of those that change. ``prices`` are
        those at which attempts begin; without any, what they cost is not known. ``standby`` is asked for what may be
        late: analytics, costs, and runs further back in a list. ``archive`` is where runs lie that have left the
        history, and entries that have left audit logs.
        """
        self._context = Context(
            database,
            clock,
            randomness,
            evaluator,
            changes=changes,
            prices=prices,
            standby=standby,
            archive=archive,
        )
        self._starter = Starter(self._context)
        self._admissions = Admissions(self._context)
        self._completions = Completions(self._context)
        super().__init__(self._context, self._starter, self._completions, keys, reads)

    def archiver(self, logs: ObjectStore | None, signing: SigningKeys | None = None) -> Archiver | None:
        """What moves runs to the archive, and deletes them there and their ``logs``. None where there is no archive.

        With ``signing``, the keys that sign heads of audit logs, it does so with entries of those too.
        """
        archive = self._context.archive
        return Archiver(self._context, archive, logs, signing) if archive is not None else None

    async def ping(self) -> None:
        """Return when Postgres answers. Raises ``DatabaseUnavailable``, or ``DatabaseNotMigrated``."""
        async with self._context.database.system() as tx:
            await maintenance.check(tx)

    async def ensure_partitions(self, now: datetime) -> int:
        """Make the partitions of the month of ``now`` and the next ones. Returns how many were missing."""
        return await partitions.ensure(self._context, now)

    async def partitions_ahead(self, now: datetime) -> int:
        """For how many months after that of ``now`` there are all partitions; -1 where that month has not all."""
        return await partitions.ahead(self._context, now)

    def call_limits(self, *, burst: int, monotonic: Callable[[], float], lent: LentCalls | None = None) -> CallLimits:
        """What lets calls of the API pass. ``burst`` is what one caller may make in a minute."""
        replica = self._context.new_id(self._context.now())
        return CallLimits(self._context, replica=replica, burst=burst, monotonic=monotonic, lent=lent)

    async def fire_due(self, now: datetime) -> Fired:
        """Make the runs of all schedules that tick, each tick once, and say when the next one does.

        What is suspended does not tick; when it goes on, the schedule's ``missedRuns`` decides what becomes of the
        ticks that passed. A schedule that fails is logged, stays due, and does not disturb the others.
        """
        return await schedules.fire_due(self._context, self._starter, now)

    async def chain_runs(self, now: datetime) -> Fired:
        """Act on the ends of runs and start the runs that nodes call, as far as they are due, and say when more is.

        The attempt that called a run ends with it, and event triggers start their runs, each once for each ending. A
        called run ends with the run that called it, and when its node's timeout is over. What fails is logged, stays
        due, and does not disturb the others.
        """
        return await chaining.chain_runs(self._context, self, now)

    async def take_over_chaining(self, now: datetime) -> int:
        """Make due what ``chain_runs`` of another process took and did not finish: only for who alone chains by now.

        Returns how much that was. Without it, it is due when the lease has run out.
        """
        return await chaining.take_over(self._context, now)

    async def admit(self, request: RunRequest, waiters: Waiters | None = None) -> tuple[Admitted | Refused, Effects]:
        """Admit a run; the same key gives the same run again.

        Where the workspace has no room the run is Pending, and its view says why. A refusal writes nothing, so that
        the request may succeed later, once what was wrong has been mended. The first attempt of a run that starts at
        once is given to one of the ``waiters`` that has room for it, unless something else is due for that one.
        """
        answer, effects, queue = await partitions.given(
            self._context, self._context.clock(), lambda: self._admissions.admit(request, waiters)
        )
        if queue:
            effects = await self._starter.and_start(effects, request.workspace_id)
        return answer, effects

    async def start_pending(self, workspace_id: UUID) -> Effects:
        """Start the workspace's Pending runs for which there is room, by priority and then the oldest first."""
        return await self._starter.start(workspace_id)

    async def start_all_pending(self) -> Effects:
        """``start_pending`` for every workspace that has Pending runs. Call every few seconds, as a net."""
        return await self._starter.start_all()

    async def claim_jobs(self, terms: ClaimTerms, now: datetime, leave: Collection[UUID] = ()) -> Claimed:
        """Take attempts that are due, workspaces taking turns. No two claimers get the same one.

        They are the holder's until ``record_jobs`` says that their Jobs exist. Those for which that does not happen
        within the lease can be claimed again, with the same content. Those of the runs in ``leave`` are left to others.
        """
        return await dispatch.claim_jobs(self._context, terms, now, leave)

    async def take_over_claims(self, holder: str, now: datetime) -> int:
        """End the claims of a process of that name that has died, and return their number: they can be claimed at once.

        A process that starts calls it with its own name before its first claim: what is claimed under it is of a
        former life.
        """
        return await dispatch.take_over_claims(self._context, holder, now)

    async def give_back(self, holder: str, refs: Iterable[TaskRef], now: datetime) -> None:
        """End the holder's claims of attempts at once: another replica may take them."""
        await dispatch.give_back(self._context, holder, refs, now)

    async def record_jobs(self, jobs: Iterable[tuple[TaskRef, str]], claimed_at: datetime | None = None) -> Effects:
        """Remember that the Jobs of attempts exist, by uid. Attempts that ended meanwhile come back as cancelled.

        They wait no more for what they waited for before ``claimed_at``, or now. What was said of them since then is
        said of their pods, of which there may be news before their Jobs are recorded.
        """
        return await dispatch.record_jobs(self._context, jobs, claimed_at)

    async def open_tasks(self) -> tuple[JobTask, ...]:
        """Every attempt that has not ended, in all workspaces: what recovery compares with the Jobs that exist."""
        return await dispatch.open_tasks(self._context)

    async def stopping_jobs(self) -> tuple[TaskRef, ...]:
        """The attempts that were asked to end and whose Jobs have not told their end, in all workspaces. One query."""
        return await dispatch.stopping_jobs(self._context)

    async def mark_running(self, ref: TaskRef, started_at: datetime, footprint: Footprint | None = None) -> Effects:
        """Record that an attempt runs, and at what price. Changes nothing when that is known, or it has ended."""
        return await dispatch.mark_running(self._context, ref, started_at, footprint)

    async def record_waiting(self, ref: TaskRef, waiting: Waiting | None) -> Effects:
        """Record what an attempt waits for, or with None that it does not. Writes nothing when that is known."""
        return await dispatch.record_waiting(self._context, ref, waiting)

    async def complete(self, ref: TaskRef, outcome: Outcome) -> Effects:
        """Record how an attempt ended, with all that follows: a retry, the next nodes, the end of the run.

        Recording it once more changes nothing. Where the run ends, Pending runs of its workspace start.
        """
        recorded = await self._completions.complete(ref, outcome)
        return await self._starter.make_use(recorded.effects, ref.workspace_id, recorded.room)

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

    async def run_attempts(self, workspace_id: UUID, run_id: UUID) -> tuple[NodeView, ...]:
        """All attempts of a run's nodes, by node and number; those of an item of a list under the item's name."""
        return await history.run_attempts(self._context, workspace_id, run_id)
