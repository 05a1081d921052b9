"""What people, and time, do to runs. Every method is a transaction that any replica can do, and may repeat."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from headgate.api.workflow_run import Decision
from headgate.domain.apart import GoingOn
from headgate.domain.audit import Action, Actor
from headgate.engine.acts import steered
from headgate.engine.audit import record
from headgate.engine.context import Context, run_key
from headgate.engine.control import approvals, cancellation, overdue, stopping, suspension
from headgate.engine.starting import repetition
from headgate.engine.starting.starter import Starter
from headgate.engine.types import Effects
from headgate.store import control


class RunControl:
    """Steers runs. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later.

    ``by`` is who wants it, for the audit log; None where nobody does. What changes nothing is no entry of it.
    """

    def __init__(self, context: Context, starter: Starter) -> None:
        self._context = context
        self._starter = starter

    async def cancel(self, workspace_id: UUID, run_id: UUID, reason: str, by: Actor | None = None) -> Effects:
        """End a run: nodes that have not ended are Cancelled. The effects list attempts whose Jobs are to be ended."""
        effects = await cancellation.cancel_run(self._context, workspace_id, run_id, reason, by)
        return await self._ended(effects, workspace_id)

    async def cancel_resource(self, workspace_id: UUID, trigger_key: str, by: Actor | None = None) -> Effects:
        """Cancel the run that the request with this key made; where it made none yet, see to it that it never does."""
        effects = await cancellation.cancel_resource(self._context, workspace_id, trigger_key, by)
        return await self._ended(effects, workspace_id)

    async def stop(self, workspace_id: UUID, run_id: UUID, reason: str, by: Actor | None = None) -> Effects:
        """Ask a run to end: no more nodes start but final ones, what runs is asked to end, and the run is Cancelled.

        Its attempts under way stay open until their ends are told. A run that has not started is Cancelled at once, one
        that has ended, or was asked before, stays as it is.
        """
        effects, room = await stopping.stop_run(self._context, workspace_id, run_id, reason, by)
        return await self._starter.make_use(effects, workspace_id, room)

    async def suspend(self, workspace_id: UUID, run_id: UUID, why: str, by: Actor | None = None) -> Effects:
        """Hold a run that is Pending or Running: what runs goes on and its end is recorded, nothing more is claimed.

        A run that has started keeps its place among those under way, and its deadline. One that was asked to end is not
        held.
        """
        effects, room = await suspension.suspend_run(self._context, workspace_id, run_id, why, by)
        return await self._starter.make_use(effects, workspace_id, room)

    async def resume(self, workspace_id: UUID, run_id: UUID, by: Actor | None = None) -> Effects:
        """Let a Suspended run go on where it stands, or wait for room where it had not started.

        One that stands at a breakpoint stays there.
        """
        effects, room = await suspension.resume_run(self._context, workspace_id, run_id, by=by)
        return await self._starter.make_use(effects, workspace_id, room)

    async def pass_breakpoint(
        self, workspace_id: UUID, run_id: UUID, asked: GoingOn, by: Actor | None = None
    ) -> Effects:
        """Let a Debug run go on past the breakpoint at which it stands, once for every higher number.

        By a step it lets start what may start there, and stops again before what comes next.
        """
        effects, room = await suspension.resume_run(self._context, workspace_id, run_id, asked, by)
        return await self._starter.make_use(effects, workspace_id, room)

    async def retry(self, workspace_id: UUID, run_id: UUID, number: int, by: Actor | None = None) -> Effects:
        """Run the failed nodes of a Failed or Cancelled run again, once for every higher ``number``.

        It counts as another start, and waits as Pending where there is no room. What succeeded is kept. A Test or Debug
        run counts for nothing and never waits: ``NoRoom`` is raised where it cannot start now.
        """
        effects, room = await repetition.retry_run(self._context, workspace_id, run_id, number, by)
        return await self._starter.make_use(effects, workspace_id, room)

    async def prioritize(self, workspace_id: UUID, run_id: UUID, priority: int, by: Actor | None = None) -> Effects:
        """Give a run another priority, and what is queued of it; one that has ended stays as it is."""
        key = run_key(workspace_id, run_id)
        if key is None:
            return Effects()
        async with self._context.database.tenant(workspace_id, lock=run_id) as tx:
            if await control.prioritize(tx, key, priority):
                act = steered(by, Action.RUN_PRIORITIZE, run_id, priority=priority)
                await record(tx, workspace_id, self._context.now(), act)
        return Effects(frozenset([run_id]))

    async def decide(
        self, workspace_id: UUID, run_id: UUID, decisions: Iterable[Decision], by: Actor | None = None
    ) -> Effects:
        """Take decisions on the run's open approvals; others are passed over.

        One by somebody who may not decide changes nothing but what the node says that it waits for.
        """
        effects, rooms = await approvals.decide(self._context, workspace_id, run_id, decisions, by)
        for room in rooms:
            effects = await self._starter.make_use(effects, workspace_id, room)
        return effects

    async def expire_runs(self, now: datetime) -> Effects:
        """Fail the runs that took longer than their workflow's ``timeout``, cancelling what is left of them.

        Final nodes that have not ended have some time more, and the run fails when they have, or that is over.
        """
        effects, workspaces = await overdue.expire_runs(self._context, now)
        for workspace_id in workspaces:
            effects = await self._starter.and_start(effects, workspace_id)
        return effects

    async def expire_approvals(self, now: datetime) -> Effects:
        """Fail the approvals that nobody decided within their node's timeout."""
        effects = Effects()
        for workspace_id, ended, room in await approvals.expire_approvals(self._context, now):
            effects = await self._starter.make_use(effects | ended, workspace_id, room)
        return effects

    async def _ended(self, effects: Effects, workspace_id: UUID) -> Effects:
        return await self._starter.and_start(effects, workspace_id) if effects.finished else effects
