"""``headgate webhook``: webhooks, and what came by them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from headgate.cli.outcome import tell
from headgate.cli.output import Column
from headgate.cli.paging import pages
from headgate.cli.session import Session
from headgate.cli.text import time_of
from headgate.client.api import Delivery


def _why(item: Delivery) -> str:
    """Why it started nothing: in words of the delivery's own, or of each trigger that was asked."""
    if item["reason"]:
        return f"{item['reason']}: {item['message']}"
    asked = [result for result in item["results"] if result["outcome"] != "accepted"]
    return "; ".join(
        f"{result['workflow']}/{result['node']}: {result['reason']}: {result['message']}" for result in asked
    )


_WEBHOOKS = (
    Column("HOOK", lambda hook: hook["hook"]),
    Column("PATH", lambda hook: hook["path"]),
    Column("TRIGGERS", lambda hook: ",".join(f"{item['namespace']}/{item['workflow']}" for item in hook["triggers"])),
    Column("REFUSED", lambda hook: str(hook["refused"])),
    Column("LAST REFUSED", lambda hook: time_of(hook["lastRefusedAt"]), wide=True),
)
_DELIVERIES = (
    Column("ID", lambda item: item["id"]),
    Column("HOOK", lambda item: item["hook"]),
    Column("EVENT", lambda item: item["event"]),
    Column("RECEIVED", lambda item: time_of(item["receivedAt"])),
    Column("OUTCOME", lambda item: item["outcome"]),
    Column("RUNS", lambda item: ",".join(result["runId"] for result in item["results"] if result["runId"])),
    Column("MESSAGE ID", lambda item: item["messageId"], wide=True),
    Column("WHY", _why),
)


async def list_webhooks(session: Session) -> None:
    """List webhooks."""
    items, _ = await pages(
        lambda cursor, limit: session.client.list_webhooks(session.workspace, cursor=cursor, limit=limit), None
    )
    session.output.list(items, _WEBHOOKS, "hook")


async def deliveries(
    session: Session,
    hook: Annotated[str | None, typer.Option(help="Only those of this webhook.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """List deliveries that were signed, the newest first."""
    items, following = await pages(
        lambda cursor, size: session.client.list_deliveries(session.workspace, cursor=cursor, limit=size, hook=hook),
        limit,
    )
    session.output.list(items, _DELIVERIES, "id", nextCursor=following)
    if following is not None and session.output.is_for_people:
        tell("there are more: raise --limit")


async def redeliver(
    session: Session, delivery: Annotated[UUID, typer.Argument(metavar="DELIVERY", help="Its id.")]
) -> None:
    """Make a delivery again, with runs of its own."""
    made = await session.client.redeliver(session.workspace, str(delivery))
    session.output.done(f"delivery {made['id']} is {made['outcome']}", made, "id")
