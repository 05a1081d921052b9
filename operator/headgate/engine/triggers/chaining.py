"""What follows from the ends of runs, and the runs that nodes call: one look at what is due, workspace by workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from headgate.engine import partitions
from headgate.engine.context import Context
from headgate.engine.starting.deadlocks import break_deadlocks
from headgate.engine.triggers import calls, endings
from headgate.engine.triggers.use_cases import UseCases
from headgate.engine.types import Effects, Fired, TaskRef
from headgate.store import calls as call_store
from headgate.store import endings as ending_store
from headgate.store import leases
from headgate.store.calls import TakenCall
from headgate.store.endings import EndingRow
from headgate.store.errors import DatabaseUnavailable

_log = structlog.get_logger(__name__)

BATCH = 10
"""Endings, and calls, of one workspace that are taken at once at most: whoever dies leaves no more than these lying."""
LEASE = timedelta(seconds=10)
"""After it, what was taken and not finished is due again: whoever took it has died, or repeats what is there."""
AT_ONCE = 4
"""Workspaces that are looked after at the same time."""
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True)
class _Done:
    effects: Effects = field(default_factory=Effects)
    workflows: frozenset[tuple[str, str]] = frozenset()
    more: bool = False
    """Whether there may be more than was taken."""

    def __or__(self, other: _Done) -> _Done:
        return _Done(self.effects | other.effects, self.workflows | other.workflows, self.more or other.more)


async def chain_runs(context: Context, use: UseCases, now: datetime) -> Fired:
    """Act on the endings and calls that are due. See ``Engine.chain_runs``.

    What is wrong in one workspace is logged and leaves the others alone. Raises ``DatabaseUnavailable``.
    """
    async with context.database.system() as tx:
        found = await ending_store.due(tx)
    slots = asyncio.Semaphore(AT_ONCE)

    async def of_workspace(workspace_id: UUID) -> _Done:
        async with slots:
            return await _chain(context, use, workspace_id, now)

    due = [workspace_id for workspace_id, due_at in found if due_at <= now]
    answers = await asyncio.gather(*(of_workspace(workspace_id) for workspace_id in due), return_exceptions=True)
    done = _Done()
    for workspace_id, answer in zip(due, answers, strict=True):
        if isinstance(answer, _Done):
            done |= answer
        elif isinstance(answer, DatabaseUnavailable) or not isinstance(answer, Exception):
            raise answer
        else:
            _log.error("chaining_failed", workspace_id=str(workspace_id), exc_info=answer)
    upcoming = [due_at.astimezone(UTC) for _, due_at in found if due_at > now]
    return Fired(done.effects, done.workflows, now if done.more else min(upcoming, default=None))


async def take_over(context: Context, now: datetime) -> int:
    """End the leases of whoever chained before, and has died. See ``Engine.take_over_chaining``."""
    async with context.database.system() as tx:
        found = await ending_store.due(tx)
    ended = 0
    for workspace_id, _ in found:
        async with context.database.tenant(workspace_id) as tx:
            ended += await leases.end_chaining(tx, workspace_id, now)
    return ended


async def _chain(context: Context, use: UseCases, workspace_id: UUID, now: datetime) -> _Done:
    async with context.database.tenant(workspace_id) as tx:
        taken = await ending_store.take(tx, workspace_id, now=now, lease_until=now + LEASE, limit=BATCH)
    done = await _act(context, use, workspace_id, taken, now)
    async with context.database.tenant(workspace_id) as tx:
        called = await call_store.take(tx, workspace_id, now=now, lease_until=now + LEASE, limit=BATCH)
    for item in called:
        done |= await _call(context, use, item, now)
    return done | _Done(more=BATCH in (len(taken), len(called)))


async def _act(context: Context, use: UseCases, workspace_id: UUID, taken: Iterable[EndingRow], now: datetime) -> _Done:
    """Act on endings, and take each off at once: who is killed again and again gets on by one each time at least.

    After a crash in between the effects are found to be there.
    """
    done = _Done()
    for ending in taken:
        again_at = None
        try:
            effects, workflows = await endings.act(context, use, workspace_id, ending)
            done |= _Done(effects, workflows)
        except DatabaseUnavailable:
            raise
        except Exception:
            _log.exception("ending_failed", workspace_id=str(workspace_id), run_id=str(ending.run_id))
            again_at = now + pause(ending.failures)
        async with context.database.tenant(workspace_id) as tx:
            await ending_store.settle(tx, workspace_id, ending, again_at)
    return done


async def _call(context: Context, use: UseCases, item: TakenCall, now: datetime) -> _Done:
    """Make a call, or end one whose time is over. What fails is repeated when the lease has run out."""
    key = item.key
    ref = TaskRef(key.workspace_id, key.run_id, key.node, key.attempt)
    try:
        if item.child is not None and item.stopping:
            reason = f"run {key.run_id}, which called it, was asked to end"
            return _Done(await use.control.stop(key.workspace_id, item.child, reason))
        if item.child is not None:
            effects = await calls.overdue(context, key, item.child)
            reason = f"node {key.node} of run {key.run_id}, which called it, has reached its timeout"
            return _Done(effects | await use.control.cancel(key.workspace_id, item.child, reason))
        called = await partitions.given(context, now, lambda: calls.call(context, key, now))
        effects = called.effects
        if called.failure is not None:
            effects |= await use.complete(ref, replace(called.failure, finished_at=now))
        if called.held:
            effects |= await break_deadlocks(context, key.workspace_id)
        if called.queue:
            effects |= await use.start_pending(key.workspace_id)
    except DatabaseUnavailable:
        raise
    except Exception:
        _log.exception("call_failed", workspace_id=str(key.workspace_id), run_id=str(key.run_id), node=key.node)
        return _Done()
    return _Done(effects)


def pause(failures: int) -> timedelta:
    """How long to wait before acting again on an ending that failed so many times before: ever longer."""
    return min(LONGEST_PAUSE, timedelta(seconds=2 ** min(failures, 10)))
