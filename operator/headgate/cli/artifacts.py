"""``headgate artifacts``: the files that the steps of a run left, listed, shown or saved."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import IO, Annotated

import typer

from headgate.cli.outcome import tell
from headgate.cli.output import Column
from headgate.cli.paging import pages
from headgate.cli.runs import RunId
from headgate.cli.session import Mistake, Session
from headgate.cli.text import printable, time_of
from headgate.client.api import RunArtifact
from headgate.domain.artifacts import is_name

_FILES = (
    Column("STEP", lambda item: item["node"]),
    Column("ATTEMPT", lambda item: str(item["attempt"])),
    Column("NAME", lambda item: item["name"]),
    Column("BYTES", lambda item: str(item["bytes"])),
    Column("KEPT", lambda item: time_of(item["createdAt"])),
    Column("TYPE", lambda item: item["contentType"], wide=True),
    Column("SHA-256", lambda item: item["sha256"], wide=True),
)


async def artifacts(
    session: Session,
    run_id: RunId,
    step: Annotated[str | None, typer.Argument(help="Of that node alone; an item of a list is NODE.INDEX.")] = None,
    name: Annotated[str | None, typer.Argument(help="Write that file, byte by byte, instead of a list.")] = None,
    *,
    attempt: Annotated[int | None, typer.Option(min=1, help="Of that attempt alone.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="Save the files in this folder, each of the latest attempt that left it.")
    ] = None,
) -> None:
    """List the files that the steps of a run left, or have them."""
    if step is not None and name is not None and to is None:
        await _copy(session, run_id, step, name, attempt, sys.stdout.buffer)
        return
    found, _ = await pages(
        lambda cursor, limit: session.client.list_artifacts(session.workspace, str(run_id), cursor=cursor, limit=limit),
        None,
    )
    wanted = [
        item
        for item in found
        if step in (None, item["node"]) and name in (None, item["name"]) and attempt in (None, item["attempt"])
    ]
    if to is None:
        session.output.list(wanted, _FILES)
        return
    # The later attempts come later.
    for item in {(item["node"], item["name"]): item for item in wanted}.values():
        await _save(session, run_id, item, to)


async def _save(session: Session, run_id: RunId, item: RunArtifact, to: Path) -> None:
    """Save a file as ``FOLDER/NODE/NAME``: it is there whole, or not at all. Raises ``Mistake``."""
    if not (is_name(item["name"]) and is_name(item["node"])):
        raise Mistake(f"the server tells of a file of a name that cannot be saved: {printable(item['name'])}")
    folder = to / item["node"]
    path, part = folder / item["name"], folder / f".{item['name']}.part"
    if path.exists():
        raise Mistake(f"{path} is there already")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            digest = await _copy(session, run_id, item["node"], item["name"], item["attempt"], file)
        if digest != item["sha256"]:
            raise Mistake(f"{item['name']} came otherwise than it was kept: have it sent again")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    tell(f"saved {path}")


async def _copy(session: Session, run_id: RunId, step: str, name: str, attempt: int | None, file: IO[bytes]) -> str:
    """Write a file as it comes. Its SHA-256."""
    digest = hashlib.sha256()
    async with session.client.get_artifact(session.workspace, str(run_id), step, name, attempt=attempt) as answer:
        async for piece in answer.pieces:
            digest.update(piece)
            file.write(piece)
    file.flush()
    return digest.hexdigest()
