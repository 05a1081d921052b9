"""A command that counts anew what workspaces keep."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from headgate.cli.database import URL, complain, required
from headgate.cli.reading import reading
from headgate.engine.recounting import NotNow
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable


def recount(
    workspace: Annotated[str | None, typer.Option(help="Only this Workspace; all of them when absent.")] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only tell; 1 where anything differs.")] = False,
) -> None:
    """Count anew what workspaces keep of maxStorageMB, by the rows that there are, one workspace after the other.

    It takes HEADGATE_DATABASE_URL as the operator does, locks nothing, and may run beside it: but not beside programs
    of a release that counted otherwise. Exit code 1 where a workspace could not be counted.
    """
    try:
        ended = asyncio.run(_run(required(URL), workspace, check=check))
    except (DatabaseNotMigrated, DatabaseUnavailable) as error:
        raise typer.Exit(complain(str(error))) from None
    if not ended:
        raise typer.Exit(1)


async def _run(url: str, workspace: str | None, *, check: bool) -> bool:
    """Whether all of them are counted as they should be."""
    well = True
    # One connection keeps the turn, and one reads.
    async with reading(url, pool_size=2) as engine:
        known = {item.name: item.workspace_id for item in await engine.workspaces.usage()}
        if workspace is not None and workspace not in known:
            raise typer.Exit(complain(f"there is no workspace {workspace} in the database"))
        for name in [workspace] if workspace is not None else sorted(known):
            counting = engine.recounting
            try:
                found = await (counting.look(known[name]) if check else counting.mend(known[name]))
            except NotNow as error:
                complain(f"workspace {name}: {error}")
                well = False
                continue
            more = found.kept - found.counted
            if more == 0:
                typer.echo(f"{name}: {found.kept} bytes are kept, as they were counted")
                continue
            typer.echo(f"{name}: {found.kept} bytes are kept, {found.counted} were counted: {more:+d}")
            well = well and not check
    return well
