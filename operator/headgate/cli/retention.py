"""Commands about retention: a round of the archive at once."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from headgate.cli import audit_keys
from headgate.cli.database import URL, complain, required
from headgate.cli.reading import reading
from headgate.clock import wall
from headgate.domain.audit_keys import SigningKeys
from headgate.domain.key_ring import KeyRingInvalid
from headgate.engine.archive.archiver import Round
from headgate.objects.object_store import InvalidObjectStore, ObjectStore, StoreUnavailable
from headgate.settings import OperatorSettings
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

retention = typer.Typer(
    no_args_is_help=True, help="How long runs and the audit log are kept where, and moving them to the archive."
)


@retention.callback()
def about() -> None:
    """How long runs and the audit log are kept where, and moving them to the archive."""


@retention.command()
def run(
    workspace: Annotated[str | None, typer.Option(help="Only this Workspace; all of them when absent.")] = None,
) -> None:
    """Do now what is done every day at 02:00 UTC: archive, verify, remove, and delete what was kept long enough.

    It takes HEADGATE_DATABASE_URL, HEADGATE_ARCHIVE_STORE, HEADGATE_OBJECT_STORE and HEADGATE_AUDIT_SIGNING_KEYS (or
    _FILE) as the operator does, and may run beside it. Exit code 1 where something is wrong with a workspace.
    """
    try:
        signing = audit_keys.from_environment()
        done = asyncio.run(_run(required(URL), workspace, signing))
    except (DatabaseNotMigrated, DatabaseUnavailable, InvalidObjectStore, KeyRingInvalid, StoreUnavailable) as error:
        raise typer.Exit(complain(str(error))) from None
    typer.echo(
        f"{done.runs} runs and {done.entries} entries of audit logs were archived in {done.parts} parts, "
        f"{done.months} months were dropped as a whole, {done.expired} parts were deleted; "
        f"{done.held} workspaces are under legal hold"
    )
    if signing is None:
        typer.echo(f"audit logs stay where they are: set {audit_keys.KEYS}, as the operator has it")
    for workspace_id, why in done.failed.items():
        complain(f"workspace {workspace_id}: {why}")
    if done.failed:
        raise typer.Exit(1)


async def _run(url: str, workspace: str | None, signing: SigningKeys | None) -> Round:
    settings = OperatorSettings()
    if settings.archive_store is None:
        raise typer.Exit(complain("set HEADGATE_ARCHIVE_STORE: nothing is deleted that is not in an archive"))
    logs = ObjectStore(settings.object_store)
    try:
        async with reading(url, archive_store=settings.archive_store) as engine:
            archiver = engine.archiver(logs, signing)
            workspace_id = await engine.workspaces.id_of(workspace) if workspace is not None else None
            if archiver is None or (workspace is not None and workspace_id is None):
                raise typer.Exit(complain(f"there is no workspace {workspace} in the database"))
            return await archiver.run(wall(), workspace_id)
    finally:
        logs.close()
