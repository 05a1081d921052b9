"""Webhooks and the log of their deliveries."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, Security

from headgate.domain.api_keys import Scope
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.engine.webhooks.types import NotKept
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.base import PageQuery
from headgate.gateway.models.webhooks import (
    Delivery,
    DeliveryList,
    DeliveryQuery,
    Hook,
    WebhookDetail,
    WebhookList,
    deliveries_of,
    delivery_of,
    webhook_of,
    webhooks_of,
)
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE


def webhook_routes(engine: Engine, access: Access, *, heard: Callable[[str, Effects], None]) -> APIRouter:
    """The routes. ``heard`` is told the workspace and the effects of every transaction."""
    router = APIRouter(prefix=WORKSPACE, tags=["webhooks"])
    Looker = Annotated[Caller, Security(access.caller, scopes=[Scope.WORKFLOWS_READ])]  # noqa: N806 - a type
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_READ])]  # noqa: N806 - a type
    Writer = Annotated[Caller, Security(access.caller, scopes=[Scope.RUNS_WRITE])]  # noqa: N806 - a type

    @router.get("/webhooks", operation_id="listWebhooks")
    async def webhooks(query: Annotated[PageQuery, Query()], caller: Looker) -> WebhookList:
        """List the webhooks that workflows have, by name."""
        try:
            page = await engine.webhooks.list(caller.workspace_id, query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return webhooks_of(page, caller.workspace)

    @router.get("/webhooks/{hook}", operation_id="getWebhook")
    async def webhook(hook: Hook, caller: Looker) -> WebhookDetail:
        """A webhook, and what keeps its triggers from taking anything."""
        found = await engine.webhooks.get(caller.workspace_id, hook)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no workflow of the workspace has such a webhook")
        return webhook_of(found, caller.workspace)

    @router.get("/deliveries", operation_id="listDeliveries")
    async def deliveries(query: Annotated[DeliveryQuery, Query()], caller: Reader) -> DeliveryList:
        """List deliveries of webhooks, the newest first."""
        try:
            page = await engine.deliveries.list(caller.workspace_id, query.hook, query.cursor, query.limit)
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return deliveries_of(page)

    @router.get("/deliveries/{delivery_id}", operation_id="getDelivery")
    async def delivery(delivery_id: UUID, caller: Reader) -> Delivery:
        """A delivery, and what became of it."""
        found = await engine.deliveries.get(caller.workspace_id, delivery_id)
        if found is None:
            raise _missing()
        return delivery_of(found)

    @router.post("/deliveries/{delivery_id}/redeliver", operation_id="redeliver", status_code=HTTPStatus.CREATED)
    async def redeliver(delivery_id: UUID, caller: Writer, response: Response) -> Delivery:
        """Hand the body of a delivery to the triggers that its webhook has now, as another delivery.

        It makes runs of its own, each time that it is asked for. What became of it is in the answer.
        """
        try:
            made, effects = await engine.deliveries.redeliver(
                caller.workspace_id, delivery_id, caller.subject, caller.actor
            )
        except NotKept as error:
            raise Problem(HTTPStatus.CONFLICT, str(error), reason="NotKept") from None
        heard(caller.workspace, effects)
        if made is None:
            raise _missing()
        response.headers["Location"] = f"{WORKSPACE.format(workspace=caller.workspace)}/deliveries/{made.id}"
        return delivery_of(made)

    return router


def _missing() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "the workspace has no such delivery")
