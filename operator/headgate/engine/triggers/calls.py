"""Makes the runs that nodes call. The end of such a run ends the attempt: see ``engine/triggers/endings.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import ValidationError

from headgate.api.debugging import RunMode
from headgate.api.flow import Call
from headgate.engine.bounds import clip
from headgate.engine.context import Context, run_key
from headgate.engine.starting.admission import admit_in
from headgate.engine.types import Effects, Outcome, Refused, RunRequest, TaskRef, TriggerKind
from headgate.store import calls, tasks
from headgate.store.fragments import OWN_LIMITS
from headgate.store.tasks import TaskKey

TIMEOUT = "Timeout"
"""Reason of an attempt whose time is over, and whose run is being cancelled."""
_RUNNING = "Running"


@dataclass(frozen=True)
class Called:
    """What became of a call."""

    effects: Effects = field(default_factory=Effects)
    queue: bool = False
    """Whether older runs should be started now."""
    failure: Outcome | None = None
    """How the attempt ended, where no run could be made."""
    held: bool = False
    """Whether the run waits for a mutex or a limit, and so perhaps for one that waits for its callers."""


async def call(context: Context, key: TaskKey, now: datetime) -> Called:
    """Make the run that an attempt calls, in one transaction with the record of it.

    The run that calls is held meanwhile: whoever ends it finds either no attempt or the run that it called. The key of
    the called run holds the attempt, so that whatever is repeated makes one run.
    """
    run = run_key(key.workspace_id, key.run_id)
    if run is None:
        return Called()
    async with context.database.tenant(key.workspace_id, lock=key.run_id) as tx:
        asked = await calls.find(tx, key, run)
        # Of a run that is suspended nothing starts; the lease runs out, and it is asked again.
        if asked is None or asked.status != _RUNNING:
            return Called()
        try:
            config = Call.model_validate(asked.work.get("workflow"))
        except ValidationError:
            return Called(
                failure=Outcome(succeeded=False, reason="InvalidCall", message="this release cannot read the call")
            )
        request = RunRequest(
            workspace_id=key.workspace_id,
            namespace=asked.namespace,
            workflow=config.name,
            kind=TriggerKind.CALL,
            key=f"call:{key.run_id}/{key.node}/{key.attempt}",
            inputs=config.inputs,
            mode=RunMode.NORMAL if asked.mode == RunMode.NORMAL else RunMode.TEST,
            parent=TaskRef(key.workspace_id, key.run_id, key.node, key.attempt),
            callers=(*asked.callers, key.run_id),
            depth=asked.depth + 1,
        )
        answer, effects, queue = await admit_in(context, tx, request, now)
        if isinstance(answer, Refused):
            failure = Outcome(
                succeeded=False, reason=answer.reason, message=f"workflow {config.name}: {answer.message}"
            )
            return Called(effects, queue, failure)
        await calls.set_child(
            tx,
            key,
            run,
            answer.run_id,
            now=now,
            deadline=now + timedelta(seconds=asked.timeout_seconds),
        )
    return Called(effects | Effects(frozenset([key.run_id])), queue, held=answer.waits_for in OWN_LIMITS)


async def overdue(context: Context, key: TaskKey, child: UUID) -> Effects:
    """Record that an attempt took too long. Its run is to be cancelled, and ends the attempt with that reason."""
    message = clip(f"it took longer than its timeout; run {child} is being cancelled")
    async with context.database.tenant(key.workspace_id) as tx:
        news = await tasks.set_waiting(tx, key, TIMEOUT, message, None, context.now())
    return Effects(frozenset([key.run_id])) if news else Effects()
