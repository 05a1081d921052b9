"""The command that looks for words."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.outcome import tell
from headgate.cli.output import Column
from headgate.cli.paging import pages
from headgate.cli.session import Mistake, Session
from headgate.cli.text import short, time_of
from headgate.client.api import SearchKind

_RUNS = (
    Column("ID", lambda item: item["runId"]),
    Column("WORKFLOW", lambda item: f"{item['namespace']}/{item['workflow']}"),
    Column("PHASE", lambda item: item["phase"]),
    Column("STARTED", lambda item: time_of(item["at"])),
    Column("ERROR", lambda item: short(item["text"])),
)
_WORKFLOWS = (
    Column("NAMESPACE", lambda item: item["namespace"]),
    Column("NAME", lambda item: item["workflow"]),
    Column("VERSION", lambda item: str(item["version"])),
    Column("CHANGED", lambda item: time_of(item["at"])),
    Column("DISPLAY NAME", lambda item: short(item["text"])),
)
_RECOMMENDATIONS = (
    Column("NAMESPACE", lambda item: item["namespace"]),
    Column("WORKFLOW", lambda item: item["workflow"]),
    Column("NODE", lambda item: item["node"]),
    Column("RECOMMENDED", lambda item: item["text"]),
)
_KINDS = {"run": (_RUNS, "runId"), "workflow": (_WORKFLOWS, "workflow"), "recommendation": (_RECOMMENDATIONS, "node")}


async def search(
    session: Session,
    query: Annotated[
        str, typer.Argument(metavar="WORDS", help='All of them; "next to each other", one or another, -without.')
    ],
    *,
    kind: Annotated[str, typer.Option(help="run, by its error message, workflow, or recommendation.")] = "run",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
) -> None:
    """Find runs by their errors, workflows by their names and nodes, or recommendations."""
    wanted = _kind(kind)
    shown, name = _KINDS[wanted]
    items, following = await pages(
        lambda position, size: session.client.search(
            session.workspace, q=query, kind=wanted, cursor=position, limit=size
        ),
        limit,
        cursor,
    )
    session.output.list(items, shown, name, nextCursor=following)
    if following is not None and session.output.is_for_people:
        tell(f"there are more: --cursor {following}")


def _kind(text: str) -> SearchKind:
    kinds: tuple[SearchKind, ...] = ("run", "workflow", "recommendation")
    for kind in kinds:
        if kind == text.lower():
            return kind
    raise Mistake(f"--kind is one of {', '.join(kinds)}")
