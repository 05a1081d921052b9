"""The log of deliveries: shows them, makes them again, and forgets them in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.domain.audit import Action, Actor
from headgate.domain.envelope import CannotOpen, DeliveryPlace, KeyRing, UnknownKey
from headgate.domain.ids import uuid7
from headgate.engine import partitions
from headgate.engine.acts import done
from headgate.engine.audit import record
from headgate.engine.context import Context
from headgate.engine.credentials.types import KeysMissing
from headgate.engine.starting.starter import Starter
from headgate.engine.types import Effects
from headgate.engine.webhooks import webhook_runs
from headgate.engine.webhooks.types import DeliveryPage, DeliveryView, NotKept, Result, outcome_of
from headgate.engine.webhooks.webhook_runs import Delivered
from headgate.engine.webhooks.webhooks import read
from headgate.store import deliveries, webhooks
from headgate.store.deliveries import Kept, NewDelivery

PAGE_SIZE = 500
"""Deliveries in a page at most."""
BATCH = 500
"""Deliveries that one transaction forgets at most."""
_BATCHES = 20
_SHORTEST = timedelta(days=1)
_NO_RANDOMNESS = bytes(10)


class Deliveries:
    """Deliveries of a workspace. All methods raise ``DatabaseUnavailable`` when Postgres is not there."""

    def __init__(self, context: Context, starter: Starter, keys: KeyRing | None) -> None:
        self._context = context
        self._starter = starter
        self._keys = keys

    async def list(
        self, workspace_id: UUID, hook: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> DeliveryPage:
        """Deliveries of the workspace, or of one webhook, the newest first. ``limit`` is from 1 to ``PAGE_SIZE``.

        Raises ``ValueError`` for a cursor that is not one, or another limit.
        """
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        before = _position(cursor) if cursor is not None else None
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await deliveries.page(tx, workspace_id, hook, before, limit)
        found = tuple(_view(row) for row in rows)
        return DeliveryPage(found, str(found[-1].id) if len(found) == limit else None)

    async def get(self, workspace_id: UUID, delivery_id: UUID) -> DeliveryView | None:
        """A delivery, or None where the workspace has no such one."""
        async with self._context.database.tenant(workspace_id) as tx:
            row = await deliveries.one(tx, workspace_id, delivery_id)
        return None if row is None else _view(row)

    async def redeliver(
        self, workspace_id: UUID, delivery_id: UUID, by: str, actor: Actor | None = None
    ) -> tuple[DeliveryView | None, Effects]:
        """Hand the body of a delivery to the triggers that its webhook has now, as a delivery of its own.

        It is linked to the one that came first, and makes new runs; ``by`` names who asks. None where there is no such
        delivery. Raises ``NotKept`` where its body is not there, and ``KeysMissing``.
        """
        if self._keys is None:
            raise KeysMissing
        keys = self._keys
        made, effects, queue = await partitions.given(
            self._context, self._context.clock(), lambda: self._redeliver(keys, workspace_id, delivery_id, by, actor)
        )
        if queue:
            effects = await self._starter.and_start(effects, workspace_id)
        return (None if made is None else await self.get(workspace_id, made)), effects

    async def _redeliver(
        self, keys: KeyRing, workspace_id: UUID, delivery_id: UUID, by: str, actor: Actor | None
    ) -> tuple[UUID | None, Effects, bool]:
        now = self._context.now()
        async with self._context.database.tenant(workspace_id, share=workspace_id) as tx:
            found = await deliveries.with_body(tx, workspace_id, delivery_id)
            if found is None:
                return None, Effects(), False
            row = found.row
            place = DeliveryPlace(workspace_id, row.hook, row.format, row.message_id)
            body = _body(keys, place, found)
            listeners, _ = await webhooks.of_hook(tx, workspace_id, row.hook)
            listening = [each for each in listeners if each.config["format"] == row.format]
            if not listening:
                raise NotKept(f"no trigger of the workspace takes deliveries of {row.hook} any more")
            made = self._context.new_id(now)
            delivered = Delivered(workspace_id, row.hook, row.message_id, row.event, read(body), f"redelivery:{made}")
            taken = await webhook_runs.take(self._context, tx, delivered, listening, now)
            again = NewDelivery(
                id=made,
                place=place,
                event=row.event,
                received_at=now,
                results={result.name: result.to_record() for result in taken.results},
                reason="",
                message="",
                headers=row.headers,
                body_bytes=row.body_bytes,
                sealed=None,
                redelivery_of=found.first_id,
                requested_by=by,
            )
            await deliveries.put(tx, again)
            act = done(actor, Action.DELIVERY_REDELIVER, f"delivery/{delivery_id}", delivery=str(made), hook=row.hook)
            await record(tx, workspace_id, now, act)
        return made, taken.effects, taken.queue

    async def forget_old(self, now: datetime) -> tuple[int, bool]:
        """Delete deliveries, of all workspaces, that are older than their workspace keeps them.

        A bounded number at once: returns how many, and whether there may be more.
        """
        horizon = uuid7(now - _SHORTEST, _NO_RANDOMNESS)
        async with self._context.database.system() as tx:
            found = await deliveries.workspaces_with_older(tx, horizon)
        forgotten, more = 0, False
        for workspace_id in found:
            for _ in range(_BATCHES):
                async with self._context.database.tenant(workspace_id) as tx:
                    gone = await deliveries.forget(tx, workspace_id, now, BATCH)
                forgotten += gone
                if gone < BATCH:
                    break
            else:
                more = True
        return forgotten, more


def _body(keys: KeyRing, place: DeliveryPlace, found: Kept) -> bytes:
    if found.sealed is None:
        raise NotKept("the body of this delivery is not kept: it was too large, no JSON, or there was no room for it")
    if found.key is None:
        raise NotKept("the key under which the body of this delivery lies was deleted")
    try:
        return keys.unwrap(found.key).open_body(place, found.sealed)
    except (CannotOpen, UnknownKey) as problem:
        raise NotKept(str(problem)) from None


def _view(row: Any) -> DeliveryView:
    results = tuple(Result.of_record(name, record) for name, record in sorted(row.results.items()))
    return DeliveryView(
        id=row.id,
        hook=row.hook,
        format=row.format,
        message_id=row.message_id,
        event=row.event,
        received_at=row.received_at,
        attempts=row.attempts,
        outcome=outcome_of(results),
        reason=row.reason,
        message=row.message,
        results=results,
        headers=row.headers,
        body_bytes=row.body_bytes,
        kept=row.kept,
        redelivery_of=row.redelivery_of,
        requested_by=row.requested_by,
    )


def _position(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError:
        raise ValueError("the cursor is not one that a list gave") from None
