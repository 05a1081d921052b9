"""What the triggers of a webhook make of a delivery: its runs, as a part of the transaction that records it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.webhook import Webhook
from headgate.domain.templates import substitute
from headgate.domain.webhook_expressions import mapped_expressions
from headgate.domain.webhooks import variables
from headgate.engine.bounds import clip
from headgate.engine.context import Context
from headgate.engine.starting.admission import admit_in
from headgate.engine.types import Effects, ExpressionError, Refused, RunRequest, TriggerKind
from headgate.engine.webhooks.secrets import webhook_of
from headgate.engine.webhooks.types import Outcome, Result
from headgate.store.database import Transaction
from headgate.store.webhooks import Listener

INVALID_EXPRESSION, UNREADABLE, OTHER_EVENT, WHEN = "InvalidExpression", "UnreadableTrigger", "OtherEvent", "When"


@dataclass(frozen=True)
class Delivered:
    """A delivery as its triggers see it."""

    workspace_id: UUID
    hook: str
    message_id: str
    event: str
    body: Any = field(repr=False)
    key: str
    """Makes it unique in its workspace for ever; with the trigger behind it, it is the key of a run."""


@dataclass(frozen=True)
class Taken:
    """What became of a delivery."""

    results: tuple[Result, ...] = ()
    effects: Effects = field(default_factory=Effects)
    queue: bool = False
    """Whether older runs should be started now."""


async def take(
    context: Context, tx: Transaction, delivered: Delivered, listeners: Sequence[Listener], now: datetime
) -> Taken:
    """Have each trigger take the delivery. Their expressions come before the first run, which locks what is used."""
    wanted = [await _wanted(context, delivered, listener) for listener in listeners]
    done = Taken()
    for listener, found in zip(listeners, wanted, strict=True):
        done = await _taken(context, tx, delivered, listener, found, done, now)
    return done


async def _taken(
    context: Context,
    tx: Transaction,
    delivered: Delivered,
    listener: Listener,
    wanted: Mapping[str, Any] | Result,
    done: Taken,
    now: datetime,
) -> Taken:
    if isinstance(wanted, Result):
        return Taken((*done.results, wanted), done.effects, done.queue)
    request = RunRequest(
        workspace_id=delivered.workspace_id,
        namespace=listener.namespace,
        workflow=listener.workflow,
        kind=TriggerKind.WEBHOOK,
        key=f"{delivered.key}:{listener.namespace}/{listener.workflow}/{listener.node}",
        trigger=listener.node,
        inputs=wanted,
    )
    answer, effects, queue = await admit_in(context, tx, request, now)
    if isinstance(answer, Refused):
        result = _refused(listener, answer.reason, answer.message, answer.until)
    else:
        result = Result(listener.namespace, listener.workflow, listener.node, Outcome.ACCEPTED, answer.run_id)
    return Taken((*done.results, result), done.effects | effects, done.queue or queue)


async def _wanted(context: Context, delivered: Delivered, listener: Listener) -> Mapping[str, Any] | Result:
    """The inputs that the trigger makes of the delivery, or why it makes no run of it."""
    webhook = webhook_of(listener)
    if webhook is None:
        return _refused(listener, UNREADABLE, "this release of Headgate cannot read the trigger: apply it again")
    if webhook.events and delivered.event not in webhook.events:
        return _filtered(listener, OTHER_EVENT, "the type of the event is none of the trigger's events")
    values = await _values(context, delivered, webhook)
    if webhook.when is not None:
        verdict = values[webhook.when]
        if verdict is False:
            return _filtered(listener, WHEN, "the trigger's when is false")
        if verdict is not True:
            why = str(verdict) if isinstance(verdict, ExpressionError) else "it is neither true nor false"
            return _refused(listener, INVALID_EXPRESSION, f"when: {why}")
    mapped = {expression: values[expression] for expression in mapped_expressions(webhook)}
    if failed := next((value for value in mapped.values() if isinstance(value, ExpressionError)), None):
        return _refused(listener, INVALID_EXPRESSION, f"inputs: {failed}")
    inputs: dict[str, Any] = substitute(dict(webhook.inputs), mapped)
    return inputs


async def _values(context: Context, delivered: Delivered, webhook: Webhook) -> dict[str, Any]:
    """The value of each expression of the trigger, or the error in its place."""
    when = [webhook.when] if webhook.when is not None else []
    expressions = list(dict.fromkeys([*when, *mapped_expressions(webhook)]))
    if not expressions:
        return {}
    read = variables(delivered.hook, delivered.message_id, delivered.event, delivered.body)
    return dict(zip(expressions, await context.evaluator.evaluate_many(expressions, read), strict=True))


def _filtered(listener: Listener, reason: str, message: str) -> Result:
    return Result(
        listener.namespace, listener.workflow, listener.node, Outcome.FILTERED, reason=reason, message=message
    )


def _refused(listener: Listener, reason: str, message: str, until: datetime | None = None) -> Result:
    return Result(
        listener.namespace, listener.workflow, listener.node, Outcome.REFUSED, None, reason, clip(message), until
    )
