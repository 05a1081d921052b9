"""Commands for whoever runs Headgate: keeping credentials, and putting new keys in the place of old ones."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from headgate.cli.database import URL, complain, required
from headgate.cli.reading import reading
from headgate.domain.audit import Actor, ActorKind
from headgate.domain.credentials import CredentialInvalid, Values
from headgate.domain.envelope import CannotOpen, KeyRing, UnknownKey
from headgate.domain.key_ring import KeyRingInvalid
from headgate.engine.credentials.key_source import key_ring
from headgate.engine.credentials.types import CredentialConflict, KeysMissing, Rotation
from headgate.engine.engine import Engine
from headgate.store.errors import DatabaseUnavailable

T = TypeVar("T")
_WIDEST = 500
KEYS, KEYS_FILE = "HEADGATE_KEY_ENCRYPTION_KEYS", "HEADGATE_KEY_ENCRYPTION_KEYS_FILE"
Workspace = Annotated[str, typer.Option(help="Name of the Workspace.")]
Name = Annotated[str, typer.Argument(help="Name of the credential.")]
Version = Annotated[int | None, typer.Option(min=0, help="The version that it must have; 0 for none.")]


def credentials(workspace: Workspace) -> None:
    """List the credentials of a workspace, without their values."""
    table = Table("NAME", "KIND", "VERSION", "UPDATED", "BY", box=None)
    for item in _done(workspace, lambda engine, workspace_id: engine.credentials.list(workspace_id)):
        updated = item.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        table.add_row(item.name, item.kind, str(item.version), updated, item.updated_by)
    Console(highlight=False).print(table)


def put_credential(
    name: Name,
    workspace: Workspace,
    kind: Annotated[str, typer.Option(help="What its values are for, in a word.")] = "opaque",
    version: Version = None,
) -> None:
    """Create or replace a credential. Its values are read from standard input: a JSON object of texts."""
    try:
        values = Values.decode(sys.stdin.buffer.read())
    except CredentialInvalid as error:
        raise typer.Exit(complain(str(error))) from None
    put = _done(
        workspace,
        lambda engine, workspace_id: engine.credentials.put(
            workspace_id, name, kind, values, by=_me().name, expected=version, actor=_me()
        ),
    )
    typer.echo(f"credential {name} is at version {put.version}")


def delete_credential(name: Name, workspace: Workspace, version: Version = None) -> None:
    """Delete a credential. The record of who was given it stays."""
    deleted = _done(
        workspace,
        lambda engine, workspace_id: engine.credentials.delete(workspace_id, name, expected=version, actor=_me()),
    )
    if not deleted:
        raise typer.Exit(complain(f"workspace {workspace} has no credential {name}"))
    typer.echo(f"credential {name} is deleted")


def releases(
    name: Name,
    workspace: Workspace,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Releases to list at most.")] = 20,
) -> None:
    """List to which attempts a credential was handed out, the newest first."""
    table = Table("RELEASED", "VERSION", "RUN", "NODE", "ATTEMPT", "RUNNER", box=None)
    found = _done(workspace, lambda engine, workspace_id: engine.credentials.releases(workspace_id, name, limit))
    for item in found:
        released = item.released_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        table.add_row(released, str(item.version), str(item.run_id), item.node, str(item.attempt), item.runner)
    # However narrow the terminal: of a record nothing is cut.
    Console(highlight=False, width=_WIDEST).print(table)


def rotate_keys(
    *,
    data_keys: Annotated[bool, typer.Option("--data-keys", help="Seal all credentials under new data keys.")] = False,
    workspace: Annotated[str | None, typer.Option(help="With --data-keys: only this Workspace.")] = None,
) -> None:
    """Wrap every data key by the first key of HEADGATE_KEY_ENCRYPTION_KEYS, while credentials are handed out.

    It may be interrupted, and repeated. The old key-encryption keys may be taken away when every process has the new
    one first, and this has then ended well.
    """
    if data_keys:
        _rotate_data_keys(workspace)
        return
    if workspace is not None:
        raise typer.BadParameter("--workspace goes with --data-keys: key-encryption keys are everybody's")
    done = _run(lambda engine: engine.credentials.rewrap())
    typer.echo(f"{done.rewrapped} data keys were wrapped by the current key-encryption key")
    if done.failed:
        failed = ", ".join(map(str, done.failed))
        raise typer.Exit(complain(f"data keys of these workspaces cannot be unwrapped: {failed}"))


def _rotate_data_keys(workspace: str | None) -> None:
    if workspace is None:
        rotations = _run(lambda engine: engine.credentials.rotate_all_data_keys(_me()))
    else:
        rotations = _done(workspace, _rotate_one)
    resealed = sum(rotation.resealed for rotation in rotations.values())
    typer.echo(f"{resealed} credentials of {len(rotations)} workspaces are sealed under new data keys")
    for workspace_id, rotation in rotations.items():
        if rotation.unreadable:
            complain(f"workspace {workspace_id}: these cannot be decrypted: {', '.join(rotation.unreadable)}")
    if any(rotation.unreadable for rotation in rotations.values()):
        raise typer.Exit(1)


async def _rotate_one(engine: Engine, workspace_id: UUID) -> Mapping[UUID, Rotation]:
    return {workspace_id: await engine.credentials.rotate_data_key(workspace_id, _me())}


def _me() -> Actor:
    """Who runs the command, as the machine has it."""
    return Actor(ActorKind.COMMAND, f"cli:{getpass.getuser()}", "login of the machine")


def _done(workspace: str, use: Callable[[Engine, UUID], Awaitable[T]]) -> T:
    """What comes of a use case for the workspace of that name."""

    async def use_it(engine: Engine) -> T:
        workspace_id = await engine.workspaces.id_of(workspace)
        if workspace_id is None:
            raise typer.Exit(complain(f"there is no workspace {workspace} in the database"))
        return await use(engine, workspace_id)

    return _run(use_it)


def _run(use: Callable[[Engine], Awaitable[T]]) -> T:
    """What comes of a use case; what is wrong is told, and ends the command."""

    async def run(url: str, keys: KeyRing | None) -> T:
        async with reading(url, keys) as engine:
            return await use(engine)

    try:
        return asyncio.run(run(required(URL), key_ring(os.environ.get(KEYS), os.environ.get(KEYS_FILE))))
    except (
        CannotOpen,
        CredentialConflict,
        CredentialInvalid,
        DatabaseUnavailable,
        KeyRingInvalid,
        KeysMissing,
        UnknownKey,
    ) as error:
        raise typer.Exit(complain(str(error))) from None
