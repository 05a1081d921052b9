"""Takes deliveries of webhooks: each once, in the transaction that makes its runs."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from headgate.api.scalars import LABEL_PATTERN
from headgate.domain.envelope import NONCE_BYTES, DeliveryPlace, KeyRing
from headgate.domain.webhooks import BODY_BYTES, event_of
from headgate.engine import partitions
from headgate.engine.bounds import check_json, clip
from headgate.engine.context import Context, utc
from headgate.engine.credentials.types import KeysMissing
from headgate.engine.starting.starter import Starter
from headgate.engine.types import Effects
from headgate.engine.webhooks import webhook_runs
from headgate.engine.webhooks.secrets import SecretChecker
from headgate.engine.webhooks.types import (
    Arrival,
    Outcome,
    Received,
    Result,
    TriggerView,
    Unverified,
    WebhookPage,
    WebhookView,
)
from headgate.engine.webhooks.webhook_runs import Delivered, Taken
from headgate.store import deliveries, webhooks, workspaces
from headgate.store.database import Transaction
from headgate.store.deliveries import NewDelivery
from headgate.store.webhooks import Listener

KEPT_BYTES = 65_536
"""A body of at most that many is kept, so that the delivery can be made again."""
INVALID_BODY = "InvalidBody"
_HOOK = re.compile(LABEL_PATTERN)
PAGE_SIZE = 500
"""Webhooks in a page at most."""
_NOBODY = UUID(int=0)


class Webhooks:
    """Webhooks of workspaces. All methods raise ``DatabaseUnavailable`` when Postgres is not there."""

    def __init__(self, context: Context, starter: Starter, keys: KeyRing | None) -> None:
        self._context = context
        self._starter = starter
        self._keys = keys
        self._checker = SecretChecker(keys, context.randomness) if keys is not None else None

    async def receive(
        self, arrival: Arrival, admit: Callable[[Arrival, UUID], Awaitable[None]]
    ) -> tuple[Received | Unverified, Effects]:
        """Take a delivery, once for each trigger of the webhook for which it is signed.

        ``admit`` is called with its workspace once it is known to be signed, and before anything is written; what it
        raises keeps the delivery out. What a trigger has taken or left out it does not look at again; what it refused
        is tried anew. Nobody can tell from the time that it takes whether there is such a workspace or webhook. Raises
        ``KeysMissing``.
        """
        now = self._context.clock()
        workspace_id = await self._signed_in(arrival)
        if isinstance(workspace_id, Unverified):
            return workspace_id, Effects()
        await admit(arrival, workspace_id)
        answer, effects, queue = await partitions.given(self._context, now, lambda: self._take(arrival, workspace_id))
        if queue:
            effects = await self._starter.and_start(effects, workspace_id)
        return answer, effects

    async def _signed_in(self, arrival: Arrival) -> UUID | Unverified:
        """The workspace of the delivery, where it is signed."""
        _, checker = self._ring()
        async with self._context.database.system() as tx:
            known = await workspaces.active_id(tx, arrival.workspace)
        # Of a workspace that there is not, the same is asked.
        workspace_id = known or _NOBODY
        async with self._context.database.tenant(workspace_id) as tx:
            listeners, stored = await webhooks.of_hook(tx, workspace_id, arrival.hook)
        if checker.signed_for(arrival.claimed, listeners, stored):
            return workspace_id
        return Unverified(known if listeners else None)

    async def _take(self, arrival: Arrival, workspace_id: UUID) -> tuple[Received | Unverified, Effects, bool]:
        """The answer, its effects, and whether older runs should be started now."""
        keys, checker = self._ring()
        async with self._context.database.tenant(workspace_id, share=workspace_id) as tx:
            listeners, stored = await webhooks.of_hook(tx, workspace_id, arrival.hook)
            # Once more: from here on no secret changes.
            signed_for = checker.signed_for(arrival.claimed, listeners, stored)
            if not signed_for:
                return Unverified(workspace_id), Effects(), False
            place = _place(workspace_id, arrival)
            earlier = await deliveries.before(tx, place)
            settled = _results(earlier.results, signed_for)
            left = [listener for listener in signed_for if not _is_settled(listener, settled)]
            if earlier.id is not None and not left:
                return Received(earlier.id, settled, repeated=True), Effects(), False
            now = self._context.now()
            taken, event, trouble = await self._taken(tx, workspace_id, arrival, left, now)
            keeps = not trouble and not earlier.kept and len(arrival.body) <= KEPT_BYTES
            sealed = None
            if keeps and earlier.key is not None:
                key = keys.unwrap(earlier.key)
                sealed = key.seal_body(place, arrival.body, self._context.randomness(NONCE_BYTES))
            recorded = await deliveries.put(
                tx,
                NewDelivery(
                    id=self._context.new_id(now),
                    place=place,
                    event=event,
                    received_at=now,
                    results={result.name: result.to_record() for result in taken.results},
                    reason=INVALID_BODY if trouble else "",
                    message=clip(trouble),
                    headers=arrival.headers,
                    body_bytes=len(arrival.body),
                    sealed=sealed,
                ),
            )
        results = _told(_results(recorded.results, signed_for), taken.results)
        reason = INVALID_BODY if trouble else ""
        received = Received(recorded.id, results, repeated=False, reason=reason, message=trouble)
        return received, taken.effects, taken.queue

    async def _taken(
        self, tx: Transaction, workspace_id: UUID, arrival: Arrival, listeners: Sequence[Listener], now: datetime
    ) -> tuple[Taken, str, str]:
        """What became of the delivery, the type of its event, and what is wrong with its body."""
        try:
            body = read(arrival.body)
        except ValueError as error:
            return Taken(), arrival.claimed.event, str(error)
        claimed = arrival.claimed
        event = event_of(claimed, body)
        key = f"webhook:{arrival.hook}:{claimed.format}:{claimed.message_id}"
        delivered = Delivered(workspace_id, arrival.hook, claimed.message_id, event, body, key)
        return await webhook_runs.take(self._context, tx, delivered, listeners, now), event, ""

    async def list(self, workspace_id: UUID, after: str | None = None, limit: int = 50) -> WebhookPage:
        """Webhooks of the workspace by name, those after ``after``. ``limit`` is from 1 to ``PAGE_SIZE``.

        Raises ``ValueError`` for a name that none can have, or another limit.
        """
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        if after is not None and not _HOOK.fullmatch(after):
            raise ValueError("the cursor is not one that a list gave")
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await webhooks.page(tx, workspace_id, after or "", limit)
        found = tuple(
            WebhookView(hook, tuple(_trigger(row) for row in of_hook), of_hook[0].refused, utc(of_hook[0].last_at))
            for hook, of_hook in ((hook, tuple(group)) for hook, group in groupby(rows, key=lambda row: str(row.hook)))
        )
        return WebhookPage(found, found[-1].hook if len(found) == limit else None)

    async def get(self, workspace_id: UUID, hook: str) -> WebhookView | None:
        """A webhook with what keeps its triggers from taking anything, or None. Raises ``KeysMissing``."""
        _, checker = self._ring()
        async with self._context.database.tenant(workspace_id) as tx:
            listeners, stored = await webhooks.of_hook(tx, workspace_id, hook)
            refused = await webhooks.refusals(tx, workspace_id, hook)
        if not listeners:
            return None
        triggers = tuple(
            replace(_trigger(listener), problem=checker.problem(listener, stored)) for listener in listeners
        )
        return WebhookView(hook, triggers, refused.total if refused else 0, utc(refused.last_at) if refused else None)

    async def count_refusals(self, workspace_id: UUID, refused: Mapping[str, tuple[int, datetime]]) -> None:
        """Add to what was refused unsigned: by webhook, how many requests, and when the last one came."""
        async with self._context.database.tenant(workspace_id) as tx:
            await webhooks.count_refusals(tx, workspace_id, refused)

    def _ring(self) -> tuple[KeyRing, SecretChecker]:
        if self._keys is None or self._checker is None:
            raise KeysMissing
        return self._keys, self._checker


def read(body: bytes) -> Any:
    """The JSON of a body. Raises ``ValueError``, which quotes nothing of it."""
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON in UTF-8") from None
    check_json(value, 2 * BODY_BYTES, "the body")
    return value


def _place(workspace_id: UUID, arrival: Arrival) -> DeliveryPlace:
    return DeliveryPlace(workspace_id, arrival.hook, arrival.claimed.format, arrival.claimed.message_id)


def _results(records: Mapping[str, Mapping[str, Any]], listeners: Sequence[Listener]) -> tuple[Result, ...]:
    """What is recorded of these triggers: a sender is told of no others."""
    return tuple(Result.of_record(each.name, records[each.name]) for each in listeners if each.name in records)


def _is_settled(listener: Listener, results: Sequence[Result]) -> bool:
    return any(result.name == listener.name and result.outcome is not Outcome.REFUSED for result in results)


def _told(recorded: Sequence[Result], fresh: Sequence[Result]) -> tuple[Result, ...]:
    """What is recorded, with what only this time tells of refusals."""
    until = {result.name: result.until for result in fresh}
    return tuple(
        replace(result, until=until.get(result.name)) if result.outcome is Outcome.REFUSED else result
        for result in recorded
    )


def _trigger(row: Any) -> TriggerView:
    config = row.config
    return TriggerView(row.namespace, row.workflow, row.node, config["format"], tuple(config.get("events", ())))
