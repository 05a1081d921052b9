"""``headgate key``: keys of the API."""

from __future__ import annotations

from typing import Annotated, TypeVar, get_args
from uuid import UUID

import typer

from headgate.cli.given import moment_of
from headgate.cli.outcome import tell
from headgate.cli.output import Column, Format
from headgate.cli.paging import pages
from headgate.cli.session import Mistake, Session
from headgate.cli.text import time_of
from headgate.client.api import CreateKey, Role, Scope
from headgate.clock import wall

T = TypeVar("T", bound=str)
_ROLES: tuple[Role, ...] = get_args(Role)
_SCOPES: tuple[Scope, ...] = get_args(Scope)
_KEYS = (
    Column("ID", lambda key: key["id"]),
    Column("NAME", lambda key: key["name"]),
    Column("ROLE", lambda key: key["role"]),
    Column("CREATED", lambda key: time_of(key["createdAt"])),
    Column("EXPIRES", lambda key: time_of(key["expiresAt"])),
    Column("USED", lambda key: time_of(key["lastUsedAt"])),
    Column("REVOKED", lambda key: time_of(key["revokedAt"])),
    Column("SCOPES", lambda key: ",".join(key["scopes"]), wide=True),
    Column("BY", lambda key: key["createdBy"], wide=True),
)


async def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: Annotated[str, typer.Option(help="owner, editor or viewer.")],
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; all of its role without it.")] = None,
    expires: Annotated[str | None, typer.Option(help="A moment, or a length of time such as 90d.")] = None,
) -> None:
    """Make a key. It is printed once, alone on standard output, and nobody can read it again."""
    if session.output.format is Format.NAME:
        raise Mistake("with -o name the key would be made and never seen: leave it out, or take -o json")
    body = CreateKey(name=name, role=_one_of(role, _ROLES, "--role"))
    if scope:
        body["scopes"] = [_one_of(item, _SCOPES, "--scope") for item in scope]
    if expires is not None:
        body["expiresAt"] = moment_of(expires, "--expires", wall(), ahead=True)
    made = await session.client.create_key(session.workspace, body)
    session.output.one(made, lambda: made["key"], "id")
    if session.output.is_for_people:
        tell(f"key {made['id']}: keep it now, it is not shown again")


async def list_keys(session: Session) -> None:
    """List keys, without what they are."""
    items, _ = await pages(
        lambda cursor, limit: session.client.list_keys(session.workspace, cursor=cursor, limit=limit), None
    )
    session.output.list(items, _KEYS, "id")


async def revoke(session: Session, key_id: Annotated[UUID, typer.Argument(metavar="KEY", help="Its id.")]) -> None:
    """Revoke a key, which is good nowhere a second later."""
    revoked = await session.client.revoke_key(session.workspace, str(key_id))
    session.output.done(f"key {revoked['id']} ({revoked['name']}) is revoked", revoked, "id")


def _one_of(text: str, known: tuple[T, ...], option: str) -> T:
    for value in known:
        if value == text:
            return value
    raise Mistake(f"{option} is one of {', '.join(known)}")
