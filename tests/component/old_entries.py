"""Audit logs of which a part is in the archive, and somebody who gets at files and records there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from headgate.api.quota import Limits
from headgate.api.retention import Retention
from headgate.domain.archive import AUDIT, files_of_record, files_to_record
from headgate.domain.audit import Entry
from headgate.engine.archive.entry_files import entries_of
from headgate.engine.archive.files import ArchiveFiles
from headgate.engine.audit_log import Verified
from headgate.engine.types import WorkspaceRecord
from headgate.objects.object_store import ObjectStore
from headgate.store.archive.columns import FORMS
from tests.component.archived import Archive, FusedStore
from tests.component.ledger import PUBLIC, SIGNING, Ledger
from tests.component.replica import Fuse, FusedDatabase, Killed
from tests.component.world import World

KEPT = Retention(audit_days=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def given_retention(world: World, retention: Retention, workspace: str = "acme") -> None:
    record = WorkspaceRecord(workspace, Limits(), suspended=False, retention=retention)
    world.ids[workspace] = await world.engine.workspaces.sync(record)


class OldEntries:
    """The audit logs of a world with an archive."""

    def __init__(self, world: World, objects: ObjectStore | None = None) -> None:
        self.world = world
        self.archive = Archive(world, objects or ObjectStore("memory://"), signing=SIGNING)
        self.ledger = Ledger(world)

    async def given(self, count: int, workspace: str = "acme", *, days: float = 0) -> list[int]:
        """That many entries, signed, after that many days. Returns the numbers of all that there are in Postgres."""
        self.world.clock.advance(days=days)
        await self.ledger.given_entries(count, workspace)
        await self.ledger.sign()
        return await self.hot(workspace)

    async def hot(self, workspace: str = "acme") -> list[int]:
        """The numbers of the entries that are in Postgres."""
        rows = await self.world.rows(
            "SELECT sequence FROM headgate.audit_log WHERE workspace_id = %s ORDER BY sequence",
            self.world.ids[workspace],
        )
        return [row["sequence"] for row in rows]

    async def parts(self, workspace: str = "acme") -> list[dict[str, Any]]:
        return await self.world.rows(
            "SELECT * FROM headgate.audit_parts WHERE workspace_id = %s ORDER BY first_sequence",
            self.world.ids[workspace],
        )

    async def archived(self, workspace: str = "acme") -> list[int]:
        """The numbers of the entries that are in parts, as often as they are."""
        found: list[int] = []
        for part in await self.parts(workspace):
            if part["files"] is not None:
                found += [entry.sequence for entry in await self.of(part)]
        return found

    async def of(self, part: dict[str, Any]) -> list[Entry]:
        """The entries of a part's file."""
        return list(await entries_of(ArchiveFiles(self.archive.objects), files_of_record(part["files"])[AUDIT]))

    async def whole(self, workspace: str = "acme") -> list[Entry]:
        """All entries, wherever they are."""
        pages = [page async for page in self.archive.engine.audit.whole(self.world.ids[workspace])]
        return [entry for page in pages for entry in page]

    async def verified(self, workspace: str = "acme") -> Verified:
        """What who knows the archive finds."""
        return await self.archive.engine.audit.verify(self.world.ids[workspace], workspace, PUBLIC)

    async def verified_without_archive(self, workspace: str = "acme") -> Verified:
        return await self.world.another_engine().audit.verify(self.world.ids[workspace], workspace, PUBLIC)

    async def killed_round(self, fuse: Fuse, name: str, now: datetime) -> None:
        """A round of one workspace, as far as the fuse lets it come."""
        objects = self.archive.objects
        database = FusedDatabase(self.world.url, fuse)
        archiver = self.archive.archiver_of(self.archive.engine_of(database))
        if isinstance(objects, FusedStore):
            objects.fuse = fuse
        with suppress(Killed):
            await archiver.run(now, self.world.ids[name])
        if isinstance(objects, FusedStore):
            objects.fuse = Fuse()
        await database.close()

    async def rewrite(
        self, part: dict[str, Any], change: Callable[[list[Entry]], list[Entry]], *, restamped: bool = False
    ) -> None:
        """Put other entries into a part, with all that is recorded of it.

        With ``restamped`` their hashes are made anew so that they fit what they say.
        """
        entries = change(await self.of(part))
        if restamped:
            entries = _restamped(entries)
        rows = [tuple(_value(entry, name) for name in FORMS[AUDIT]) for entry in entries]
        files = ArchiveFiles(self.archive.objects)
        file = await files.put_rows(part["workspace_id"], AUDIT, part["month"], part["id"], FORMS[AUDIT], [rows])
        record = files_to_record({**files_of_record(part["files"]), AUDIT: file})
        await self.ledger.tamper(
            "UPDATE headgate.audit_parts SET files = %s, hash = %s WHERE id = %s",
            Jsonb(record),
            entries[-1].hash,
            part["id"],
        )


def _value(entry: Entry, name: str) -> object:
    value = getattr(entry, name)
    match value:
        case bytes():
            return f"\\x{value.hex()}"
        case datetime():
            return (value - _EPOCH) // timedelta(microseconds=1)
        case int():
            return value
        case _:
            return str(value)


def _restamped(entries: list[Entry]) -> list[Entry]:
    made: list[Entry] = []
    for entry in entries:
        bare = replace(entry, previous_hash=made[-1].hash if made else entry.previous_hash)
        made.append(replace(bare, hash=bare.computed_hash()))
    return made
