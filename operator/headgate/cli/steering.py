"""Commands that change how a run goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.run_text import name_of
from headgate.cli.runs import RunId
from headgate.cli.session import Session
from headgate.client.api import CancelRun, DecideApproval, HoldRun, ResumeRun, Run

Reason = Annotated[str, typer.Option(help="Why; kept with the run.")]
Node = Annotated[str, typer.Argument(help="The node that waits for it.")]
Attempt = Annotated[int | None, typer.Option(min=1, help="The attempt that is meant; the one that waits without it.")]
Step = Annotated[bool, typer.Option("--step", help="At a breakpoint: stop again before what comes next.")]
Comment = Annotated[str, typer.Option(help="Kept with the decision.")]


async def cancel(session: Session, run_id: RunId, reason: Reason = "") -> None:
    """End a run gracefully. Once more changes nothing."""
    body = CancelRun(reason=reason)
    _show(session, await session.client.cancel_run(session.workspace, str(run_id), body=body), "is being cancelled")


async def suspend(session: Session, run_id: RunId, reason: Reason = "") -> None:
    """Hold a run: what runs goes on to its end, nothing more starts."""
    body = HoldRun(reason=reason)
    _show(session, await session.client.suspend_run(session.workspace, str(run_id), body=body), "is held")


async def resume(session: Session, run_id: RunId, *, step: Step = False) -> None:
    """Let a held run go on; one that stands at a breakpoint to the next one."""
    body = ResumeRun(step=step)
    _show(session, await session.client.resume_run(session.workspace, str(run_id), body=body), "goes on")


async def retry(session: Session, run_id: RunId) -> None:
    """Have a failed run go on from what failed."""
    _show(session, await session.client.retry_run(session.workspace, str(run_id)), "is tried again")


async def approve(session: Session, run_id: RunId, node: Node, comment: Comment = "", attempt: Attempt = None) -> None:
    """Let an approval pass, in your own name."""
    body = DecideApproval(node=node, attempt=attempt, comment=comment)
    _show(session, await session.client.approve_node(session.workspace, str(run_id), body), f"{node} is approved")


async def reject(session: Session, run_id: RunId, node: Node, comment: Comment = "", attempt: Attempt = None) -> None:
    """Refuse an approval, in your own name."""
    body = DecideApproval(node=node, attempt=attempt, comment=comment)
    _show(session, await session.client.reject_node(session.workspace, str(run_id), body), f"{node} is rejected")


def _show(session: Session, run: Run, done: str) -> None:
    session.output.done(f"{name_of(run)} {run['id']} {done}: {run['phase']}", run, "id")
