"""Has what comes at once done in one transaction: one message of each kind, and one wait for the disk, for all of it.

As Postgres does with commits: whoever comes while the like is under way waits for it, and shares the next transaction
with all who came meanwhile. Nobody waits for others to come, and nobody waits for one whose run somebody else holds.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

import structlog

from headgate.store.database import Database, Transaction
from headgate.store.errors import Contended, DatabaseUnavailable, RunHeld
from headgate.store.joint import NotTogether
from headgate.store.meeting import Meeting

A = TypeVar("A")
R = TypeVar("R")

MOST = 32
"""How many share a transaction at most: what they wait for is as long as what all of them do."""
_log = structlog.get_logger("headgate.together")


@dataclass(frozen=True, eq=False)
class _Asked(Generic[A, R]):
    what: A
    answer: asyncio.Future[R]

    def give(self, answer: R | BaseException) -> None:
        """The answer, unless whoever asked is gone."""
        if self.answer.done():
            return
        if isinstance(answer, BaseException):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Together(ABC, Generic[A, R]):
    """Serves who asks for one kind of thing. Only those of one workspace share a transaction. For one event loop."""

    own: ClassVar[tuple[type[Exception], ...]] = ()
    """What ``beside`` raises before anything is written: it concerns the one who asks and nobody else."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, list[_Asked[A, R]]] = {}
        """Those who came meanwhile, by the workspaces for which something is under way."""
        self._serving: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def alone(self, what: A, *, wait: bool) -> R:
        """Serve one in a transaction of its own. Raises ``RunHeld`` where its run is held and it is not to ``wait``."""

    @abstractmethod
    async def beside(self, what: A, tx: Transaction) -> R:
        """Serve one in a transaction that is shared. Where it raises what is not ``own``, nothing of that is kept."""

    @abstractmethod
    def key(self, what: A) -> Hashable:
        """Those who have the same one are not served in one transaction."""

    def lock(self, _: A) -> UUID | None:
        """The run that has to be held, where one has."""
        return None

    def over(self, what: A, kept: bool | None) -> None:  # noqa: FBT001 - most have nothing to do then
        """Whether what a transaction did for this one was ``kept``; None where nobody can tell."""

    @contextmanager
    def telling(self, whom: Sequence[A]) -> Iterator[None]:
        """``over`` for each, of the transaction that begins and ends meanwhile."""
        kept: bool | None = None
        try:
            yield
            kept = True
        except DatabaseUnavailable:
            raise
        except Exception:
            kept = False
            raise
        finally:
            for what in whom:
                self.over(what, kept)

    @property
    def busy(self) -> frozenset[UUID]:
        """Workspaces for which something is being done."""
        return frozenset(self._waiting)

    async def do(self, workspace_id: UUID, what: A) -> R:
        """What serving gives. Raises what that raises."""
        if workspace_id in self._waiting:
            asked: _Asked[A, R] = _Asked(what, asyncio.get_running_loop().create_future())
            self._waiting[workspace_id].append(asked)
            return await asked.answer
        self._waiting[workspace_id] = []
        try:
            return await self.alone(what, wait=False)
        except RunHeld:
            pass
        finally:
            self._next(workspace_id)
        return await self.alone(what, wait=True)

    def _next(self, workspace_id: UUID) -> None:
        """What was under way is over."""
        if batch := self._take(workspace_id):
            task = asyncio.create_task(self._serve(workspace_id, batch))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        else:
            del self._waiting[workspace_id]

    def _take(self, workspace_id: UUID) -> list[_Asked[A, R]]:
        """Those who came first; who is gone meanwhile is left out."""
        batch: dict[Hashable, _Asked[A, R]] = {}
        left: list[_Asked[A, R]] = []
        for asked in self._waiting[workspace_id]:
            if asked.answer.done():
                continue
            key = self.key(asked.what)
            if key in batch or len(batch) == MOST:
                left.append(asked)
            else:
                batch[key] = asked
        self._waiting[workspace_id] = left
        return list(batch.values())

    async def _serve(self, workspace_id: UUID, batch: list[_Asked[A, R]]) -> None:
        try:
            try:
                left = await (self._share(workspace_id, batch) if len(batch) > 1 else self._alone(batch[0], wait=False))
            finally:
                self._next(workspace_id)
            # Nobody waits for these: somebody else may hold their runs.
            await asyncio.gather(*(self._alone(asked, wait=True) for asked in left))
        except BaseException as error:
            # Whatever it is: who asked must hear of it.
            for asked in batch:
                asked.give(error)
            if not isinstance(error, Exception):
                raise

    async def _alone(self, asked: _Asked[A, R], *, wait: bool) -> list[_Asked[A, R]]:
        """Serve one. Returns those who are still to be served."""
        try:
            asked.give(await self.alone(asked.what, wait=wait))
        except RunHeld:
            return [asked]
        except Exception as error:
            asked.give(error)
        return []

    async def _share(self, workspace_id: UUID, batch: list[_Asked[A, R]]) -> list[_Asked[A, R]]:
        """Serve them in one transaction. Returns those who have to be served alone: all, where it failed for one."""
        locks = {asked: lock for asked in batch if (lock := self.lock(asked.what)) is not None}
        try:
            with self.telling([asked.what for asked in batch]):
                async with self._database.shared(workspace_id, list(locks.values())) as (tx, held):
                    members = [asked for asked in batch if asked not in locks or locks[asked] in held]
                    meeting = Meeting(tx, len(members), self.own)
                    parts = (meeting.take_part(partial(self.beside, asked.what)) for asked in members)
                    answers = await asyncio.gather(*parts, return_exceptions=True)
                    meeting.check()
        except (Contended, NotTogether):
            return batch
        except DatabaseUnavailable:
            # It may have been kept, and who repeats it now would hear of it as of something old.
            raise
        except Exception as error:
            # Each hears of its own mistakes, and not of those of others.
            _log.warning("what came at once is done one by one", error=type(error).__name__)
            return batch
        for asked, answer in zip(members, answers, strict=True):
            asked.give(answer)
        return [asked for asked in batch if asked not in members]
