"""Reads that may be late: from a standby of Postgres as long as it keeps up, and from the primary otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from headgate.dependencies import DependencyGuard
from headgate.domain.replication import Beats
from headgate.store import beats
from headgate.store.database import ANSWER, Database, Transaction
from headgate.store.errors import DatabaseUnavailable, StatementRefused

T = TypeVar("T")

LOOKS_IN_A_LAG = 5
"""How often the standby is looked at in the time that it may be behind."""
SILENCE = timedelta(seconds=5)
"""How long a standby may say nothing before its connections count as broken."""
_POOL_TIMEOUT = timedelta(seconds=1)


class StandbyBehind(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The standby lacks what was written longer ago than it may."""


class Standby:
    """A second Postgres that follows the first one, and is never believed further than it can be checked."""

    def __init__(
        self,
        primary: Database,
        url: str,
        *,
        most_lag: timedelta,
        monotonic: Callable[[], float],
        pool_size: int = 10,
        prepared_statements: bool = True,
        guard: DependencyGuard | None = None,
    ) -> None:
        """``url`` is that of the runtime login; the standby may be one of several behind a name, or a pooler's.

        No read shows less than was committed ``most_lag`` before it began.
        """
        self._primary = primary
        self._replica = Database(
            url,
            pool_size=pool_size,
            pool_timeout=_POOL_TIMEOUT,
            prepared_statements=prepared_statements,
            silence=SILENCE,
            answer=ANSWER,
            guard=guard,
        )
        self._most_lag = most_lag
        self._monotonic = monotonic
        self._beats = Beats()
        self._log = structlog.get_logger("headgate.standby")
        self.keeps_up = False
        """Whether it is asked at all."""
        self.lag: float | None = None
        """Seconds by which it was behind at most when it was looked at last; None where that is not known."""
        self.by_replica = 0
        self.by_primary = 0
        """Reads, by who answered them."""

    @property
    def between_looks(self) -> float:
        """Seconds."""
        return self._most_lag.total_seconds() / LOOKS_IN_A_LAG

    async def close(self) -> None:
        """Close every connection to it."""
        await self._replica.close()

    async def look(self) -> None:
        """Write a beat to the primary, and see which has come to the standby. Call it every ``between_looks``.

        Raises ``DatabaseUnavailable`` where the primary does not answer.
        """
        before = self._monotonic()
        async with self._primary.system() as tx:
            number = await beats.write(tx)
        self._beats = self._beats.noted(before, number)
        try:
            async with self._replica.system() as tx:
                self.lag = self._beats.lag(await beats.seen(tx), self._monotonic())
        except (DatabaseUnavailable, StatementRefused) as error:
            self.lag = None
            self._asked(keeps_up=False, why=type(error).__name__)
        else:
            self._asked(keeps_up=self._is_fresh(self.lag), why="it is too far behind")

    async def read(self, workspace_id: UUID, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """What ``work`` reads of a workspace. It may be called a second time, with a transaction of the primary.

        Raises like ``Database.tenant`` where the primary does.
        """
        if self.keeps_up:
            try:
                found = await self._late(workspace_id, work)
            except StandbyBehind:
                self._asked(keeps_up=False, why="it is too far behind")
            except (DatabaseUnavailable, StatementRefused) as error:
                # It may be away, or have cut off the statement as that stood in the way of what it follows.
                self._asked(keeps_up=False, why=type(error).__name__)
            else:
                self.by_replica += 1
                return found
        self.by_primary += 1
        async with self._primary.tenant(workspace_id) as tx:
            return await work(tx)

    async def _late(self, workspace_id: UUID, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._replica.tenant(workspace_id) as tx:
            # By each read for itself: there may be several standbys behind the URL.
            now = self._monotonic()
            if not self._is_fresh(self._beats.lag(await beats.seen(tx), now)):
                raise StandbyBehind
            return await work(tx)

    def _is_fresh(self, lag: float | None) -> bool:
        return lag is not None and lag <= self._most_lag.total_seconds()

    def _asked(self, *, keeps_up: bool, why: str) -> None:
        if keeps_up and not self.keeps_up:
            self._log.info("the standby keeps up, and is read from")
        elif self.keeps_up and not keeps_up:
            self._log.warning("the standby is not read from until it keeps up", why=why)
        self.keeps_up = keeps_up
