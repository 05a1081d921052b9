"""``headgate logs``: what a step of a run wrote, as it is kept, or as it is written."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headgate.cli.outcome import tell
from headgate.cli.runs import RunId
from headgate.cli.session import Session


async def logs(
    session: Session,
    run_id: RunId,
    step: Annotated[str, typer.Argument(help="The node; an item of a list is NODE.INDEX.")],
    *,
    attempt: Annotated[int | None, typer.Option(min=1, help="The attempt; the latest without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt ends.")] = False,
) -> None:
    """Show what a step wrote, byte by byte: once the attempt has ended, or with --follow while it runs."""
    asked = session.client.get_log(
        session.workspace, str(run_id), step, attempt=attempt, follow=True if follow else None
    )
    async with asked as answer:
        async for piece in answer.pieces:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    if answer.headers.get("headgate-log-truncated") == "true":
        tell("the log is longer than what is kept of it")
