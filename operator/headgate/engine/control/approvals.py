"""Decides open approvals: by people, and by the clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from headgate.api.workflow_run import Decision
from headgate.domain import approvals
from headgate.domain.audit import Act, Actor
from headgate.engine.acts import decided
from headgate.engine.audit import record
from headgate.engine.bounds import clip
from headgate.engine.context import Context, run_key
from headgate.engine.steps.completion import complete
from headgate.engine.steps.dispatch import record_waiting
from headgate.engine.types import Effects, TaskRef
from headgate.store import control
from headgate.store.database import Transaction
from headgate.store.recording import Room

COMMENT_BYTES = 2048
"""Of a comment at most, so that it fits into an output."""


async def decide(
    context: Context, workspace_id: UUID, run_id: UUID, decisions: Iterable[Decision], by: Actor | None = None
) -> tuple[Effects, list[Room]]:
    """Take decisions on the run's open approvals. See ``RunControl.decide``.

    Each ends its attempt in a transaction of its own; in between the attempt may end otherwise, and then that stands.
    """
    key = run_key(workspace_id, run_id)
    if key is None:
        return Effects(), []
    async with context.database.tenant(workspace_id) as tx:
        opened = {(item.node, item.attempt): item for item in await control.approvals(tx, key)}
    effects, rooms = Effects(), list[Room]()
    for decision in decisions:
        item = opened.get((decision.node, decision.attempt))
        if item is None:
            continue
        ref = TaskRef(workspace_id, run_id, item.node, item.attempt)
        refusal = approvals.refusal(approvals.approval_of(item.work), item.node, decision.by, item.until)
        if refusal is not None:
            effects |= await record_waiting(context, ref, refusal)
            continue
        said = decision.model_copy(update={"comment": clip(decision.comment, COMMENT_BYTES)})
        act = decided(by, ref, said)

        async def recorded(tx: Transaction, act: Act | None = act) -> None:
            await record(tx, workspace_id, context.now(), act)

        ended = await complete(context, ref, approvals.outcome(said), then=recorded)
        effects |= ended.effects
        rooms.append(ended.room)
        del opened[decision.node, decision.attempt]
    return effects, rooms


async def expire_approvals(context: Context, now: datetime) -> list[tuple[UUID, Effects, Room]]:
    """Fail the approvals that nobody decided in time, each in a transaction of its own."""
    async with context.database.system() as tx:
        overdue = await control.overdue_approvals(tx, now)
    ended = []
    for key in overdue:
        ref = TaskRef(key.workspace_id, key.run_id, key.node, key.attempt)
        recorded = await complete(context, ref, approvals.overdue())
        ended.append((key.workspace_id, recorded.effects, recorded.room))
    return ended
