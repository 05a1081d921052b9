"""``headgate cursor``: how far copies between systems have come."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.given import workflow_of
from headgate.cli.output import Column
from headgate.cli.paging import pages
from headgate.cli.session import Session
from headgate.cli.text import printable, time_of
from headgate.client.api import CopyCursorDetail

_CURSORS = (
    Column("NAMESPACE", lambda item: item["namespace"]),
    Column("WORKFLOW", lambda item: item["workflow"]),
    Column("NODE", lambda item: item["node"]),
    Column("BATCHES", lambda item: str(item["batches"])),
    Column("RECORDS", lambda item: str(item["records"])),
    Column("UPDATED", lambda item: time_of(item["updatedAt"])),
    Column("COPIES NOW", lambda item: str(item["held"])),
    Column("RUN", lambda item: item["runId"], wide=True),
    Column("ATTEMPT", lambda item: str(item["attempt"]), wide=True),
)
Workflow = Annotated[str, typer.Argument(help="The workflow: NAME, or NAMESPACE/NAME.")]
Node = Annotated[str, typer.Argument(help="The node that copies; NODE.INDEX for an item of a list.")]


async def list_cursors(session: Session) -> None:
    """List how far copies have come."""
    items, _ = await pages(
        lambda cursor, limit: session.client.list_cursors(session.workspace, cursor=cursor, limit=limit), None
    )
    session.output.list(items, _CURSORS, "node")


async def get(session: Session, workflow: Workflow, node: Node) -> None:
    """Show where the copy of a node stands."""
    namespace, name = workflow_of(workflow)
    found = await session.client.get_cursor(session.workspace, namespace or session.workspace, name, node)
    session.output.one(found, lambda: _text(found), "node")


async def reset(session: Session, workflow: Workflow, node: Node) -> None:
    """Have the copy of a node begin anew with its next attempt. What is in its target stays."""
    namespace, name = workflow_of(workflow)
    was = await session.client.reset_cursor(session.workspace, namespace or session.workspace, name, node)
    message = f"{_name(was)} begins anew; it stood at {was['reached'] or 'the beginning'}"
    session.output.done(message, was, "node")


def _name(found: CopyCursorDetail) -> str:
    return f"{found['namespace']}/{found['workflow']} {found['node']}"


def _text(found: CopyCursorDetail) -> str:
    lines = [
        f"{_name(found)}: {found['batches']} batches, {found['records']} records",
        f"reached: {found['reached'] or 'the beginning'}",
        *([f"being written: up to {found['pending']}"] if found["pending"] else ()),
        f"run {found['runId']}, attempt {found['attempt']}, {'copies now' if found['held'] else 'copies no more'}",
        f"updated: {time_of(found['updatedAt'])}",
    ]
    return "\n".join(map(printable, lines))
