"""The archive as tests speak of it: one in memory, rounds of it, and kills between any two writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from headgate.domain.archive import RUNS, files_of_record
from headgate.domain.audit_keys import SigningKeys
from headgate.engine.archive.archiver import Archiver, Round
from headgate.engine.archive.files import ArchiveFiles
from headgate.engine.engine import Engine
from headgate.engine.types import RunFilter, RunSummary, RunView
from headgate.objects.object_store import ObjectStore
from headgate.store.database import Database
from tests.component.replica import Fuse
from tests.component.world import KEYS, World


class FusedStore(ObjectStore):
    """Objects in memory: each that is put or deleted is a write at which a process may end."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__("memory://")
        self.fuse = fuse

    async def put(self, path: str, content: bytes | Iterable[bytes]) -> None:
        self.fuse.before()
        await super().put(path, content)
        self.fuse.done()

    async def put_pieces(self, path: str, pieces: AsyncIterator[bytes], size: int) -> None:
        self.fuse.before()
        await super().put_pieces(path, pieces, size)
        self.fuse.done()

    async def delete(self, path: str) -> None:
        self.fuse.before()
        await super().delete(path)
        self.fuse.done()


async def finished(world: World, workflow: str = "nightly", **members: Any) -> UUID:
    """A run that succeeded with an output, three minutes after it was asked for."""
    run = await world.admit(workflow, **members)
    world.clock.advance(minutes=3)
    await world.succeed(run, output={"rows": 7})
    return run


@dataclass
class Archive:
    """The archive of a world, in which time passes by days."""

    world: World
    objects: ObjectStore = field(default_factory=lambda: ObjectStore("memory://"))
    logs: ObjectStore = field(default_factory=lambda: ObjectStore("memory://"))
    signing: SigningKeys | None = None
    """By which heads of audit logs are signed; without any, their entries stay where they are."""

    def __post_init__(self) -> None:
        self.engine = self.engine_of(self.world.database)
        # What the world shows, it shows of the archive too.
        self.world.engine = self.engine

    def engine_of(self, database: Database) -> Engine:
        return Engine(database, self.world.expressions, clock=self.world.clock, keys=KEYS, archive=self.objects)

    @property
    def archiver(self) -> Archiver:
        return self.archiver_of(self.engine)

    def archiver_of(self, engine: Engine) -> Archiver:
        found = engine.archiver(self.logs, self.signing)
        assert found is not None
        return found

    async def round(self, *, days: float = 0) -> Round:
        """A round, that many days later."""
        return await self.archiver.run(self.world.clock.advance(days=days))

    async def hot(self, workspace: str = "acme") -> list[UUID]:
        """The runs that are in the history."""
        rows = await self.world.rows(
            "SELECT id FROM headgate.workflow_executions WHERE workspace_id = %s ORDER BY id",
            self.world.ids[workspace],
        )
        return [row["id"] for row in rows]

    async def parts(self, workspace: str = "acme") -> list[dict[str, object]]:
        return await self.world.rows(
            "SELECT * FROM headgate.archive_parts WHERE workspace_id = %s ORDER BY id", self.world.ids[workspace]
        )

    async def archived(self, workspace: str = "acme") -> list[UUID]:
        """The runs that are in parts, as often as they are."""
        files = ArchiveFiles(self.objects)
        found: list[UUID] = []
        for part in await self.parts(workspace):
            if part["files"] is not None:
                file = files_of_record(part["files"])[RUNS]  # type: ignore[arg-type]
                found += [UUID(row["id"]) for row in await files.rows(file, ("id",), by="id")]
        return sorted(found)

    async def paths(self) -> list[str]:
        """All objects of the archive."""
        return sorted([item.path async for item in self.objects.list("archive")])

    async def views(self, *runs: UUID, workspace: str = "acme") -> list[RunView]:
        """The runs as they are shown, wherever they are."""
        return [replace(await self.world.view(run, workspace), archived=False) for run in runs]

    async def listed(
        self, filters: RunFilter | None = None, *, limit: int = 50, workspace: str = "acme"
    ) -> list[RunSummary]:
        """All pages of a list."""
        found: list[RunSummary] = []
        cursor = None
        while True:
            page = await self.engine.list_runs(self.world.ids[workspace], filters or RunFilter(), cursor, limit)
            found += page.runs
            if (cursor := page.next_cursor) is None:
                return found
