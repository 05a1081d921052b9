"""``headgate credential``: credentials of a workspace, whose values nobody reads back."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.given import values_of
from headgate.cli.outcome import Code, tell
from headgate.cli.output import Column
from headgate.cli.session import Session
from headgate.cli.text import time_of
from headgate.client.api import PutCredential

_CREDENTIALS = (
    Column("NAME", lambda item: item["name"]),
    Column("KIND", lambda item: item["kind"]),
    Column("VERSION", lambda item: str(item["version"])),
    Column("UPDATED", lambda item: time_of(item["updatedAt"])),
    Column("BY", lambda item: item["updatedBy"], wide=True),
)
Name = Annotated[str, typer.Argument(help="Name of the credential.")]
Version = Annotated[int | None, typer.Option(min=0, help="The version that it must have; 0 for none.")]


async def list_credentials(session: Session) -> None:
    """List credentials, without their values."""
    found = await session.client.list_credentials(session.workspace)
    session.output.list(found["items"], _CREDENTIALS)


async def put(
    session: Session,
    name: Name,
    kind: Annotated[str, typer.Option(help="What its values are for, in a word.")] = "opaque",
    from_file: Annotated[list[str] | None, typer.Option(help="KEY=PATH; may be repeated.")] = None,
    version: Version = None,
) -> None:
    """Create or replace a credential. Values are read from files, or as a JSON object of texts from standard input."""
    body = PutCredential(kind=kind, values=dict(values_of(from_file or ())))
    made = await session.client.put_credential(session.workspace, name, body, version=version)
    session.output.done(f"credential {made['name']} is at version {made['version']}", made)


async def delete(session: Session, name: Name, version: Version = None) -> None:
    """Delete a credential."""
    await session.client.delete_credential(session.workspace, name, version=version)
    session.output.done(f"credential {name} is deleted", {"name": name})


async def rotate(session: Session) -> Code | None:
    """Seal all credentials of the workspace under a new data key. Their values stay."""
    rotated = await session.client.rotate_credentials(session.workspace)
    session.output.done(f"{rotated['resealed']} credentials are sealed under a new data key", rotated, "resealed")
    if not rotated["unreadable"]:
        return None
    tell(f"these cannot be decrypted: {', '.join(rotated['unreadable'])}")
    return Code.FAILED
