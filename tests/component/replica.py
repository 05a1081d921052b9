"""A replica that can be killed at any write, over the real engine and Postgres, and Jobs that outlive it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from headgate.desired.job import job_name
from headgate.domain.task import ClaimTerms, TaskRef
from headgate.engine.engine import Engine
from headgate.engine.types import Outcome, RunRequest
from headgate.store.database import Database, Transaction
from tests.component.world import World


class Killed(BaseException):
    """The end of the process: nothing of ours may catch it."""


@dataclass
class Fuse:
    """Counts writes to the outside, and kills before or after one of them."""

    at: int = 0
    after: bool = False
    writes: int = 0

    def before(self) -> None:
        """A write is about to happen."""
        self.writes += 1
        if self.writes == self.at and not self.after:
            raise Killed

    def done(self) -> None:
        """It has happened."""
        if self.writes == self.at and self.after:
            raise Killed


async def at_every_write(story: Callable[[Fuse], Awaitable[None]]) -> int:
    """Let a story be cut at each of its writes. Returns how many there are."""
    whole = Fuse()
    await story(whole)
    # After a write, and before the next one, is the same.
    for at in range(1, whole.writes + 1):
        await story(Fuse(at))
    await story(Fuse(whole.writes, after=True))
    return whole.writes


class FusedDatabase(Database):
    """Every transaction's commit is a write: before it all of it is lost, after it the caller never hears of it."""

    def __init__(self, url: str, fuse: Fuse) -> None:
        super().__init__(url, pool_size=4)
        self.fuse = fuse

    @asynccontextmanager
    async def tenant(
        self,
        workspace_id: UUID,
        *,
        lock: UUID | None = None,
        share: UUID | None = None,
        snapshot: bool = False,
        by_index: bool = False,
        wait: bool = True,
    ) -> AsyncIterator[Transaction]:
        how = {"snapshot": snapshot, "by_index": by_index, "wait": wait}
        async with super().tenant(workspace_id, lock=lock, share=share, **how) as tx:
            yield tx
            self.fuse.before()
        self.fuse.done()

    @asynccontextmanager
    async def shared(
        self, workspace_id: UUID, locks: Sequence[UUID]
    ) -> AsyncIterator[tuple[Transaction, frozenset[UUID]]]:
        async with super().shared(workspace_id, locks) as begun:
            yield begun
            self.fuse.before()
        self.fuse.done()

    @asynccontextmanager
    async def system(self, *, lock: int | None = None, by_index: bool = False) -> AsyncIterator[Transaction]:
        async with super().system(lock=lock, by_index=by_index) as tx:
            yield tx
            self.fuse.before()
        self.fuse.done()


@dataclass
class Jobs:
    """The Jobs of the cluster: the ledger that judges. A name exists once; its work is done once for each creation."""

    uids: dict[str, str] = field(default_factory=dict)
    refs: dict[str, TaskRef] = field(default_factory=dict)
    work: list[str] = field(default_factory=list)

    def create(self, name: str, ref: TaskRef, fuse: Fuse) -> str:
        """Create a Job, or find it there, as the API server has it."""
        if name not in self.uids:
            fuse.before()
            self.uids[name] = f"uid-{len(self.uids)}"
            self.refs[name] = ref
            self.work.append(f"{ref.node}/{ref.attempt}")
            fuse.done()
        return self.uids[name]


@dataclass
class Script:
    """What is asked for, and how the work ends."""

    requests: tuple[RunRequest, ...]
    endings: Mapping[str, Outcome]
    """By ``node/attempt``; what is not named succeeds without output."""

    def ending(self, ref: TaskRef) -> Outcome:
        return self.endings.get(f"{ref.node}/{ref.attempt}", Outcome(succeeded=True))


@dataclass
class Replica:
    """One process: it forgets everything when it is killed."""

    world: World
    script: Script
    jobs: Jobs
    fuse: Fuse

    async def work(self) -> None:
        """Work until everything that was asked for has ended. Raises ``Killed``."""
        database = FusedDatabase(self.world.url, self.fuse)
        try:
            await self._work(Engine(database, self.world.expressions, clock=self.world.clock))
        finally:
            await database.close()

    async def _work(self, engine: Engine) -> None:
        await engine.ensure_partitions(self.world.clock.now)
        for request in self.script.requests:
            await engine.admit(request)
        while True:
            now = self.world.clock.advance(seconds=5)
            await engine.fire_due(now)
            claimed = (await engine.claim_jobs(ClaimTerms("replica", 3), now)).tasks
            made = [
                (task.ref, self.jobs.create(job_name(task.workflow, task.ref), task.ref, self.fuse)) for task in claimed
            ]
            await engine.record_jobs(made)
            for task in await engine.open_tasks():
                if task.job_uid is not None:
                    await engine.complete(task.ref, self.script.ending(task.ref))
            if not claimed and not await self.open_runs():
                return

    async def open_runs(self) -> list[dict[str, Any]]:
        """What has not ended, as the superuser sees it."""
        return await self.world.rows(
            "SELECT id FROM headgate.workflow_executions WHERE status IN ('Pending', 'Running', 'Suspended')"
        )
