"""Commands about audit logs: looking for what was done to them, and taking copies."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from headgate.cli.audit_keys import KEYS, from_environment
from headgate.cli.database import ARCHIVE, URL, complain, required
from headgate.cli.reading import reading
from headgate.domain.archive import ManifestInvalid
from headgate.domain.audit import Entry
from headgate.domain.audit_chain import Finding
from headgate.domain.audit_keys import PublicKeys
from headgate.domain.key_ring import KeyRingInvalid
from headgate.engine.archive.files import ArchiveDamaged
from headgate.engine.audit_log import EntriesMoved, Verified
from headgate.engine.credentials.key_source import public_keys
from headgate.engine.engine import Engine
from headgate.objects.object_store import InvalidObjectStore, StoreUnavailable
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

T = TypeVar("T")
_DIGEST_BYTES = 32
_FAILURES = (
    ArchiveDamaged,
    DatabaseNotMigrated,
    DatabaseUnavailable,
    EntriesMoved,
    InvalidObjectStore,
    ManifestInvalid,
    StoreUnavailable,
)
audit = typer.Typer(no_args_is_help=True, help="Who did what: verify the audit log, and take copies of it.")


@audit.command()
def verify(
    workspace: Annotated[str | None, typer.Option(help="Only this Workspace, and no rounds.")] = None,
    public_keys_file: Annotated[
        str | None, typer.Option("--public-keys", help="File of public keys, as `headgate audit public-keys` prints.")
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(help="A round that you know, as <number>:<digest> in the operator's log: finds what is cut off."),
    ] = None,
) -> None:
    """Look at every entry and every signature. Exit code 1, and the first bad entry of each log, where any is.

    Entries that have moved to the archive are looked at where HEADGATE_ARCHIVE_STORE says where that is. Elsewhere a
    log begins at the signed anchor that stands for them.
    """
    expected = _round(expect)
    if workspace is not None and expected is not None:
        raise typer.BadParameter("--expect is about all workspaces: leave --workspace out")
    keys = _keys(public_keys_file)
    if keys is None:
        typer.echo("no keys are given: chains are looked at and signatures are not, so that re-stamping is not found")
    if not _run(lambda engine: _verify(engine, workspace, keys, expected)):
        raise typer.Exit(1)


async def _verify(
    engine: Engine, workspace: str | None, keys: PublicKeys | None, expected: tuple[int, bytes] | None
) -> bool:
    good = True
    if workspace is None:
        rounds, finding = await engine.audit.verify_rounds(keys, expected)
        good = finding is None
        typer.echo(f"rounds: {rounds} are good" if finding is None else _bad("rounds", "round", finding))
        async for each in engine.audit.verify_all(keys):
            good = _told(each) and good
        return good
    workspace_id = await engine.workspaces.id_of(workspace)
    if workspace_id is None:
        raise typer.Exit(complain(f"there is no workspace {workspace} in the database"))
    return _told(await engine.audit.verify(workspace_id, workspace, keys))


def _told(found: Verified) -> bool:
    name = f"{found.workspace} ({found.workspace_id})"
    if found.finding is not None:
        typer.echo(_bad(name, "entry", found.finding))
        return False
    begins = f" from entry {found.after + 1} on" if found.after else ""
    typer.echo(f"{name}: {found.entries} entries{begins} are good, and signed up to entry {found.signed}")
    return True


def _bad(name: str, what: str, finding: Finding) -> str:
    return f"{name}: {what} {finding.sequence} is bad: {finding.what}: {finding.message}"


@audit.command()
def export(workspace: Annotated[str, typer.Option(help="Name of the Workspace.")]) -> None:
    """Print the log as JSON lines, the oldest entry first, with its hashes.

    Entries that have moved to the archive are there where HEADGATE_ARCHIVE_STORE says where that is.
    """
    _run(lambda engine: _export(engine, workspace))


async def _export(engine: Engine, workspace: str) -> None:
    workspace_id = await engine.workspaces.id_of(workspace)
    if workspace_id is None:
        raise typer.Exit(complain(f"there is no workspace {workspace} in the database"))
    last = None
    async for page in engine.audit.whole(workspace_id):
        if last is None and page[0].sequence > 1:
            typer.echo(f"entries before {page[0].sequence} are not in Postgres any more", err=True)
        for last in page:
            sys.stdout.write(json.dumps(_line(last)) + "\n")


def _line(entry: Entry) -> dict[str, object]:
    return {
        "workspaceId": str(entry.workspace_id),
        "sequence": entry.sequence,
        "at": entry.at.isoformat(),
        "actor": {"kind": entry.actor_kind, "name": entry.actor_name, "via": entry.actor_via},
        "action": entry.action,
        "object": entry.object,
        "outcome": entry.outcome,
        # A text and not an object: it is hashed as it is.
        "detail": entry.detail,
        "previousHash": entry.previous_hash.hex(),
        "hash": entry.hash.hex(),
    }


@audit.command("public-keys")
def show_public_keys() -> None:
    """Print the public keys of HEADGATE_AUDIT_SIGNING_KEYS, for whoever verifies and is not to sign."""
    keys = _keys(None)
    if keys is None:
        raise typer.Exit(complain(f"set {KEYS}"))
    typer.echo(keys.text(), nl=False)


def _keys(file: str | None) -> PublicKeys | None:
    try:
        if file is not None:
            return public_keys(file)
        keys = from_environment()
    except KeyRingInvalid as error:
        raise typer.Exit(complain(str(error))) from None
    return None if keys is None else keys.public()


def _round(text: str | None) -> tuple[int, bytes] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    try:
        found = int(number), bytes.fromhex(digest)
    except ValueError:
        found = 0, b""
    if found[0] < 1 or len(found[1]) != _DIGEST_BYTES:
        raise typer.BadParameter(f"write <number>:<digest>, the digest with 64 hexadecimal digits, not {text!r}")
    return found


def _run(use: Callable[[Engine], Awaitable[T]]) -> T:
    async def run(url: str) -> T:
        async with reading(url, archive_store=os.environ.get(ARCHIVE) or None) as engine:
            return await use(engine)

    try:
        return asyncio.run(run(required(URL)))
    except _FAILURES as error:
        raise typer.Exit(complain(str(error))) from None
