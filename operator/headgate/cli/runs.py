"""Starting runs, watching them, and looking at them."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, get_args
from uuid import UUID, uuid4

import typer

from headgate.cli.debugging import Breaks, File, Mocks, Pins, Wishes, debug_of, mode_of
from headgate.cli.follow import Follower
from headgate.cli.given import inputs_of, labels_of, length_of, moment_of, workflow_of
from headgate.cli.outcome import Code, tell
from headgate.cli.paging import pages
from headgate.cli.run_text import RUNS, end_text, name_of, run_text
from headgate.cli.screen import progress_file, watching
from headgate.cli.session import Mistake, Session
from headgate.client.api import Run, RunPhase, StartRun
from headgate.clock import wall

RunId = Annotated[UUID, typer.Argument(metavar="RUN", help="The run's id.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show how it goes on until it is over; 1 where it fails.")]
Timeout = Annotated[str | None, typer.Option(help="With --watch: look no longer, such as 5m; then the code is 3.")]


async def run(
    session: Session,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="NAME, or NAMESPACE/NAME.")],
    *,
    inputs: Annotated[list[str] | None, typer.Option("--input", "-i", help="KEY=TEXT or KEY:=JSON.")] = None,
    inputs_file: Annotated[
        str | None, typer.Option("--inputs", help="A file of inputs, JSON or YAML; - for standard input.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="A version; the newest without it.")] = None,
    priority: Annotated[int | None, typer.Option(help="Who goes first within the Workspace.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key gives the same run again.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Try it out: apart from figures and the network.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="As --test, and stop at breakpoints.")] = False,
    debug_file: File = None,
    mock: Mocks = None,
    pin: Pins = None,
    pins_from: Annotated[
        str | None, typer.Option(metavar="RUN", help="What comes before --start-from has its outputs.")
    ] = None,
    start_from: Annotated[str | None, typer.Option(metavar="NODE", help="The node to begin with.")] = None,
    stop_after: Annotated[str | None, typer.Option(metavar="NODE", help="The node after which it ends.")] = None,
    breakpoints: Breaks = None,
    watch: Watch = False,
    timeout: Timeout = None,  # noqa: ASYNC109 - an option
) -> Code | None:
    """Start a run of a workflow."""
    _check(timeout, watch=watch)
    namespace, name = workflow_of(workflow)
    body = StartRun(workflow=name, inputs=inputs_of(inputs_file, inputs or ()), labels=labels_of(label or ()))
    if namespace is not None:
        body["namespace"] = namespace
    if version is not None:
        body["version"] = version
    if priority is not None:
        body["priority"] = priority
    wishes = Wishes(debug_file, mock or (), pin or (), pins_from, start_from, stop_after, breakpoints or ())
    mode, what = mode_of(test=test, debug=debug), debug_of(wishes)
    if what is not None and mode is None:
        raise Mistake("mocks, pins, parts of the graph and breakpoints go with --test or --debug")
    if mode is not None:
        body["mode"] = mode
    if what is not None:
        body["debug"] = what
    # With a key, a request that may have got lost is sent again, and makes one run.
    key = idempotency_key or uuid4().hex
    started = await session.client.start_run(session.workspace, body, idempotency_key=key)
    if watch:
        return await _watch(session, started, timeout)
    session.output.done(f"{name_of(started)} {started['id']} {started['phase']}", started, "id")
    return None


async def get(
    session: Session,
    run_id: RunId,
    *,
    watch: Watch = False,
    timeout: Timeout = None,  # noqa: ASYNC109 - an option
) -> Code | None:
    """Show a run with its nodes, and why it does not go on."""
    _check(timeout, watch=watch)
    found = await session.client.get_run(session.workspace, str(run_id))
    if watch:
        return await _watch(session, found, timeout)
    session.output.one(found, lambda: run_text(found), "id")
    return None


async def list_runs(
    session: Session,
    *,
    status: Annotated[list[str] | None, typer.Option(help="A phase, such as Failed; may be repeated.")] = None,
    workflow: Annotated[str | None, typer.Option(help="NAME, or NAMESPACE/NAME.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; all of them.")] = None,
    since: Annotated[str | None, typer.Option(help="From a moment on, or for a length of time such as 1d.")] = None,
    until: Annotated[str | None, typer.Option(help="Before a moment, or a length of time ago.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
) -> None:
    """List runs, the newest first."""
    now = wall()
    namespace, name = workflow_of(workflow) if workflow is not None else (None, None)
    begin, end = moment_of(since, "--since", now, ahead=False), moment_of(until, "--until", now, ahead=False)
    phases: list[RunPhase] | None = [_phase(text) for text in status] if status else None
    labels_of(label or ())
    items, following = await pages(
        lambda position, size: session.client.list_runs(
            session.workspace,
            cursor=position,
            limit=size,
            status=phases,
            workflow=name,
            namespace=namespace,
            since=begin,
            until=end,
            label=label or None,
        ),
        None if every else limit,
        cursor,
    )
    session.output.list(items, RUNS, "id", nextCursor=following)
    if following is not None and session.output.is_for_people:
        tell(f"there are more: --all, or --cursor {following}")


def _phase(text: str) -> RunPhase:
    phases: tuple[RunPhase, ...] = get_args(RunPhase)
    for phase in phases:
        if phase.lower() == text.lower():
            return phase
    raise Mistake(f"--status is one of {', '.join(phases)}")


def _check(timeout: str | None, *, watch: bool) -> None:
    if timeout is not None and not watch:
        raise Mistake("--timeout goes with --watch: a run itself takes as long as its workflow says")
    length_of(timeout, "--timeout")


async def _watch(session: Session, started: Run, timeout: str | None) -> Code:  # noqa: ASYNC109 - said by people
    length = length_of(timeout, "--timeout")
    file = progress_file(for_people=session.output.is_for_people)
    title = f"{name_of(started)} {started['id']}"
    try:
        async with asyncio.timeout(length.total_seconds() if length is not None else None):
            with watching(title, file, os.environ, wall) as show:
                over = await Follower(session.client, session.workspace, UUID(started["id"]), show).until_over()
    except TimeoutError:
        tell(f"run {started['id']} goes on; {timeout} have passed")
        return Code.TIMEOUT
    except asyncio.CancelledError:
        tell(f"run {started['id']} goes on: `headgate cancel {started['id']}` ends it")
        raise
    session.output.one(over, lambda: end_text(over), "id")
    return Code.SUCCESS if over["phase"] == "Succeeded" else Code.FAILED
