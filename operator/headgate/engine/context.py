"""What every use case works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar
from uuid import UUID

from headgate.domain.cost import Footprint, Rate, charged, rate
from headgate.domain.ids import uuid7, uuid7_time
from headgate.domain.measured import Measured
from headgate.domain.prices import PriceTable
from headgate.engine.definitions.changes import DefinitionChanges
from headgate.engine.definitions.definition import Definitions
from headgate.engine.types import Evaluator
from headgate.objects.object_store import ObjectStore
from headgate.store.database import Database, Transaction
from headgate.store.records import RunKey
from headgate.store.standby import Standby

T = TypeVar("T")

_ID_RANDOMNESS = 10


@dataclass(frozen=True)
class Context:
    """The engine's ties to the world."""

    database: Database
    clock: Callable[[], datetime]
    """The time now, with a time zone."""
    randomness: Callable[[int], bytes]
    """That many unpredictable bytes."""
    evaluator: Evaluator
    definitions: Definitions = field(default_factory=Definitions)
    changes: DefinitionChanges | None = None
    """Whom to tell that a workspace's workflows were changed; None where nobody keeps them."""
    prices: PriceTable | None = None
    """At which attempts begin; None where nobody said any."""
    standby: Standby | None = None
    """Who is asked for what may be late; None where that is the primary too."""
    archive: ObjectStore | None = None
    """Where runs lie that have left the history; None where that is not known, or there are none."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        return self.clock().astimezone(UTC)

    async def changed(self, workspace_id: UUID) -> None:
        """Workflows of the workspace were changed by a transaction that is over."""
        if self.changes is not None:
            await self.changes.changed(workspace_id)

    async def late(self, workspace_id: UUID, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """What ``work`` reads of a workspace, for whom it need not know what was written just now.

        It may be called twice, each time with another transaction.
        """
        if self.standby is not None:
            return await self.standby.read(workspace_id, work)
        async with self.database.tenant(workspace_id) as tx:
            return await work(tx)

    def rate(self, held: Footprint | None, used: Measured | None = None) -> Rate | None:
        """What an hour of an attempt costs that holds so much, or uses more, where that and prices are known."""
        return None if self.prices is None or held is None else rate(self.prices, charged(held, used))

    def new_id(self, now: datetime) -> UUID:
        """A fresh id of the time ``now``."""
        return uuid7(now, self.randomness(_ID_RANDOMNESS))


def run_key(workspace_id: UUID, run_id: UUID) -> RunKey | None:
    """Where a run lies, or None for an id that no run can have."""
    try:
        return RunKey(workspace_id, run_id, uuid7_time(run_id))
    except (ValueError, OverflowError):
        return None


def milliseconds(length: timedelta) -> int:
    """Whole milliseconds, never negative: clocks of replicas differ."""
    return max(0, length // timedelta(milliseconds=1))


def next_day(now: datetime) -> datetime:
    """The UTC midnight after ``now``."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def utc(time: datetime | None) -> datetime | None:
    """The same moment as UTC has it; Postgres gives times in the zone of the session."""
    return None if time is None else time.astimezone(UTC)
