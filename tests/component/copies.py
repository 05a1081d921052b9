"""Copies as tests want them: their two ends on this machine, and a cursor that is kept like the gateway keeps it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from headgate.api.sync import Sync
from headgate.domain.runner_protocol import Mark
from headgate.runner.copying import parts
from headgate.runner.copying.batches import Batch, Source, Target
from headgate.runner.copying.copy import copy
from headgate.runner.secrets import Redactor, Secrets
from tests.component.world import World
from tests.support.doubles import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.unit.runner.connectors.nodes import REACH, hidden
from tests.unit.runner.tasks import secrets


class Killed(Exception):  # noqa: N818 - what a test does
    """The runner is no more."""


@dataclass
class KeptMark:
    """A cursor that outlives runners."""

    mark: Mark = field(default_factory=Mark)
    moved: int = 0
    records: int = 0

    async def take(self) -> Mark:
        return self.mark

    async def move(self, mark: Mark, records: int) -> None:
        self.mark, self.moved, self.records = mark, self.moved + 1, self.records + records


@dataclass
class Fuse:
    """Counts writes, and is the end of the runner before or after one of them."""

    at: int = 0
    after: bool = False
    writes: int = 0

    async def write(self, do: Callable[[], Awaitable[None]]) -> None:
        self.writes += 1
        if self.writes == self.at and not self.after:
            raise Killed
        await do()
        if self.writes == self.at:
            raise Killed


@dataclass
class Fused:
    """Target and cursor of a runner that a fuse ends."""

    target: Target
    cursor: KeptMark
    fuse: Fuse

    @property
    def by_range(self) -> bool:
        return self.target.by_range

    async def write(self, batch: Batch, after: str | None) -> None:
        await self.fuse.write(lambda: self.target.write(batch, after))

    async def take(self) -> Mark:
        return await self.cursor.take()

    async def move(self, mark: Mark, records: int) -> None:
        await self.fuse.write(lambda: self.cursor.move(mark, records))


def a_copy(source: dict[str, Any], target: dict[str, Any], **members: Any) -> Sync:
    return Sync.model_validate({"source": source, "target": target, **members})


def table(name: str, **members: Any) -> dict[str, Any]:
    """A table of the database whose address is in the Secret ``db``."""
    return {"postgres": {"connection": hidden("db"), "table": name, **members}}


def bucket(address: str) -> dict[str, Any]:
    """The members of a bucket of the double at that address, whose keys are in Secrets."""
    return {
        "endpoint": f"http://{address}",
        "bucket": BUCKET,
        "accessKeyId": hidden("id"),
        "secretAccessKey": hidden("key"),
    }


def keys(**more: str) -> Secrets:
    """The Secrets of a bucket, and more."""
    return secrets(id=ACCESS_KEY, key=SECRET_KEY, **more)


async def given_cursor(world: World, node: str) -> None:
    """A cursor of that node of each workflow, as a run that is over left it."""
    await world.rows(
        "INSERT INTO headgate.sync_cursors SELECT workspace_id, id, %s, repeat('0', 64), '[7]', NULL, 1, 7,"
        " gen_random_uuid(), 1, now() FROM headgate.workflows RETURNING 1",
        node,
    )


async def copied(sync: Sync, given: Secrets, cursor: KeptMark) -> dict[str, Any]:
    """What a runner gives that copies."""
    return await parts.execute(sync, given, REACH, cursor, given.redactor(), 30.0)


async def copied_until_killed(source: Source, target: Target, cursor: KeptMark, fuse: Fuse, batch: int) -> None:
    """A copy by a runner that is killed, and by as many others as it takes."""
    fused = Fused(target, cursor, fuse)
    try:
        await copy(source, fused, fused, Redactor(()), batch=batch, max_batches=100)
    except Killed:
        await copy(source, target, cursor, Redactor(()), batch=batch, max_batches=100)
