"""Commands about Postgres: migrating it, and reading what it recorded."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from headgate.domain.durations import format_duration
from headgate.engine.types import RunSummary, RunView, Waiting

URL = "HEADGATE_DATABASE_URL"
MIGRATION_URL = "HEADGATE_DATABASE_MIGRATION_URL"
ARCHIVE = "HEADGATE_ARCHIVE_STORE"


class Form(StrEnum):
    """How something is printed."""

    TABLE = "table"
    JSON = "json"


def migrate() -> None:
    """Bring the database of HEADGATE_DATABASE_MIGRATION_URL to the newest schema.

    The login of HEADGATE_DATABASE_URL is made a member of the roles that running programs act as.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import OperationalError

    from headgate.store import migrate as migrations

    runtime = os.environ.get(URL)
    try:
        migrations.upgrade(required(MIGRATION_URL), runtime_login=make_url(runtime).username if runtime else None)
    except migrations.MigrationRefused as error:
        raise typer.Exit(complain(str(error))) from None
    except OperationalError as error:
        raise typer.Exit(complain(f"Postgres does not answer: {type(error.orig).__name__}")) from None
    typer.echo(f"the database is at revision {migrations.newest_revision()}")


def history(
    workspace: Annotated[str, typer.Option(help="Name of the Workspace.")],
    run: Annotated[str | None, typer.Option(help="Id of a run, to see its steps.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Runs to list at most.")] = 20,
    output: Annotated[Form, typer.Option("--output", "-o", help="How it is printed.")] = Form.TABLE,
) -> None:
    """Show what Postgres recorded: a workspace's newest runs, or one run with all attempts of its steps.

    Runs that have moved to the archive are found where HEADGATE_ARCHIVE_STORE says where that is.
    """
    from headgate.cli.history import as_json, read
    from headgate.engine.archive.files import ArchiveDamaged
    from headgate.engine.archive.reading import NoArchive
    from headgate.objects.object_store import InvalidObjectStore, StoreUnavailable

    try:
        runs, view = asyncio.run(read(required(URL), workspace, _run_id(run), limit, os.environ.get(ARCHIVE) or None))
    except NoArchive:
        raise typer.Exit(complain(f"run {run} is in the archive: set {ARCHIVE}, as the operator has it")) from None
    except (ArchiveDamaged, InvalidObjectStore, StoreUnavailable) as error:
        raise typer.Exit(complain(str(error))) from None
    console = Console(highlight=False)
    if runs is None:
        raise typer.Exit(complain(f"there is no workspace {workspace} in the database"))
    if run is not None and view is None:
        raise typer.Exit(complain(f"workspace {workspace} has no run {run}"))
    if output is Form.JSON:
        typer.echo(as_json(view or runs))
    elif view is None:
        console.print(_runs_table(runs))
    else:
        console.print(_run_table(view))


def _runs_table(runs: tuple[RunSummary, ...]) -> Table:
    table = Table("RUN", "WORKFLOW", "VERSION", "TRIGGER", "PHASE", "STARTED", "DURATION", "WHY", box=None)
    for item in runs:
        lasted = _lasted(item.started_at, item.finished_at)
        name = f"{item.namespace}/{item.workflow}"
        row = (str(item.run_id), name, str(item.version), item.kind, item.phase, _time(item.started_at), lasted)
        table.add_row(*row, item.error_message or (f"waits: {item.waiting}" if item.waiting else ""))
    return table


def _run_table(view: RunView) -> Table:
    lasted = _lasted(view.started_at, view.finished_at)
    title = f"{view.namespace}/{view.workflow} version {view.version}: {view.phase} {lasted}".rstrip()
    table = Table("NODE", "PHASE", "ATTEMPT", "STARTED", "DURATION", "WHY", "OUTPUT", box=None, title=title)
    for node in view.nodes:
        why = " ".join(part for part in (node.reason, node.message) if part)
        output = "" if node.output is None else _short(node.output)
        lasted = _lasted(node.started_at, node.finished_at)
        table.add_row(node.id, node.phase, str(node.attempt), _time(node.started_at), lasted, why, output)
    if view.waiting:
        table.caption = "\n".join(_waits(waiting) for waiting in view.waiting)
        table.caption_justify = "left"
    return table


def _waits(waiting: Waiting) -> str:
    who = f"{waiting.node} waits" if waiting.node else "waits"
    until = f" until {_time(waiting.until)}" if waiting.until else ""
    return f"{who}{until}: {': '.join(part for part in (waiting.reason, waiting.message) if part)}"


def _short(value: object) -> str:
    from headgate.domain.templates import as_text

    text = as_text(value)
    return text if len(text) <= 80 else text[:79] + "…"  # noqa: PLR2004 - the width of a column


def _lasted(started: datetime | None, finished: datetime | None) -> str:
    if not started or not finished:
        return ""
    # Kubernetes tells when containers start and end in whole seconds.
    if started == finished and not started.microsecond:
        return "<1s"
    return format_duration(finished - started)


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _run_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not the id of a run") from None


def required(name: str) -> str:
    """The value of an environment variable that has to be set."""
    value = os.environ.get(name)
    if not value:
        raise typer.Exit(complain(f"set {name}"))
    return value


def complain(message: str) -> int:
    """Tell what is wrong, and give the exit code for it."""
    typer.echo(f"headgate: {message}", err=True)
    return 1
