"""Webhooks and their deliveries, as the API gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from headgate.api.scalars import LABEL_PATTERN
from headgate.api.webhook import WebhookFormat
from headgate.engine.webhooks.types import (
    DeliveryPage,
    DeliveryView,
    Outcome,
    TriggerView,
    WebhookPage,
    WebhookView,
)
from headgate.gateway.models.base import ApiModel, PageQuery

Hook = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=LABEL_PATTERN)]
"""Name of a webhook."""


class DeliveryQuery(PageQuery):
    """Which deliveries to list."""

    hook: Hook | None = None
    """Deliveries of this webhook; of all of them when absent."""


class WebhookTrigger(ApiModel):
    """A trigger that takes the deliveries of a webhook."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The trigger node."""
    format: WebhookFormat
    """How deliveries are signed."""
    events: tuple[str, ...]
    """Types of events that count; all of them when empty."""


class Webhook(ApiModel):
    """A webhook of the workspace."""

    hook: str
    """Its name."""
    path: str
    """Where it takes deliveries, on the gateway."""
    triggers: tuple[WebhookTrigger, ...]
    """What takes its deliveries."""
    refused: int
    """Requests that none of its secrets had signed. They are counted, and not kept."""
    last_refused_at: datetime | None
    """When the last of these came; null where none did."""


class WebhookDetail(Webhook):
    """A webhook, and whether anything can be signed for it."""

    problems: dict[str, str]
    """By trigger, why nothing can be signed for it and what to change; empty where all is well."""


class WebhookList(ApiModel):
    """A page of webhooks, by name."""

    items: tuple[Webhook, ...]
    """The webhooks."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


class DeliveryResult(ApiModel):
    """What a trigger made of a delivery."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The trigger node."""
    outcome: Outcome
    """Accepted with a run, filtered, or refused."""
    run_id: UUID | None
    """The run; null where there is none."""
    reason: str
    """Why there is none, in one stable word."""
    message: str
    """The same for people."""


class Delivery(ApiModel):
    """A delivery that was signed as it has to be. Its body is kept encrypted, and not shown."""

    id: UUID
    """Unique for ever."""
    hook: str
    """The webhook that took it."""
    format: WebhookFormat
    """How it was signed."""
    message_id: str
    """Its sender's name for it: the same when it is sent again."""
    event: str
    """The type of its event; empty where it says none."""
    received_at: datetime
    """When it came first."""
    attempts: int
    """How often triggers looked at it: again when it was sent again after something had refused it."""
    outcome: Outcome
    """Accepted where any trigger made a run; else refused where any refused it; else filtered."""
    reason: str
    """Why no trigger was asked, in one stable word; empty otherwise."""
    message: str
    """The same for people."""
    results: tuple[DeliveryResult, ...]
    """What became of it, by trigger."""
    headers: dict[str, str]
    """Headers that say what came; signatures are not kept."""
    body_bytes: int
    """Bytes of the body."""
    kept: bool
    """Whether its body was kept; of one that was made again it lies with the first."""
    redelivery_of: UUID | None
    """The delivery that came first, where this one was made from it; null where its sender sent it."""
    requested_by: str | None
    """Who asked for it to be made again."""


class DeliveryList(ApiModel):
    """A page of deliveries, the newest first."""

    items: tuple[Delivery, ...]
    """The deliveries."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


def webhooks_of(page: WebhookPage, workspace: str) -> WebhookList:
    """The page as the API gives it."""
    items = tuple(
        Webhook(
            hook=view.hook,
            path=path_of(workspace, view.hook),
            triggers=tuple(_trigger(item) for item in view.triggers),
            refused=view.refused,
            last_refused_at=view.last_refused_at,
        )
        for view in page.webhooks
    )
    return WebhookList(items=items, next_cursor=page.next_cursor)


def webhook_of(view: WebhookView, workspace: str) -> WebhookDetail:
    """The webhook as the API gives it."""
    return WebhookDetail(
        hook=view.hook,
        path=path_of(workspace, view.hook),
        triggers=tuple(_trigger(item) for item in view.triggers),
        refused=view.refused,
        last_refused_at=view.last_refused_at,
        problems={
            f"{item.namespace}/{item.workflow}/{item.node}": item.problem
            for item in view.triggers
            if item.problem is not None
        },
    )


def delivery_of(view: DeliveryView) -> Delivery:
    """The delivery as the API gives it."""
    results = tuple(
        DeliveryResult(
            namespace=item.namespace,
            workflow=item.workflow,
            node=item.node,
            outcome=item.outcome,
            run_id=item.run_id,
            reason=item.reason,
            message=item.message,
        )
        for item in view.results
    )
    return Delivery(**{**vars(view), "headers": dict(view.headers), "results": results})


def deliveries_of(page: DeliveryPage) -> DeliveryList:
    """The page as the API gives it."""
    return DeliveryList(items=tuple(delivery_of(item) for item in page.deliveries), next_cursor=page.next_cursor)


def path_of(workspace: str, hook: str) -> str:
    """Where a webhook takes deliveries."""
    return f"/hooks/{workspace}/{hook}"


def _trigger(view: TriggerView) -> WebhookTrigger:
    return WebhookTrigger(
        namespace=view.namespace,
        workflow=view.workflow,
        node=view.node,
        format=WebhookFormat(view.format),
        events=view.events,
    )
