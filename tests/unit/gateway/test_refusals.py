from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

from headgate.engine.webhooks.webhooks import Webhooks as RealWebhooks
from headgate.gateway import refusals
from headgate.gateway.refusals import Refusals
from headgate.store.errors import DatabaseUnavailable

ACME, OTHER = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)


class Webhooks:
    """Notes what is counted, unless it is away."""

    def __init__(self) -> None:
        self.counted: list[tuple[UUID, dict[str, tuple[int, datetime]]]] = []
        self.away = frozenset[UUID]()

    async def count_refusals(self, workspace_id: UUID, refused: Mapping[str, tuple[int, datetime]]) -> None:
        if workspace_id in self.away:
            raise DatabaseUnavailable("away")
        self.counted.append((workspace_id, dict(refused)))


def counting(engine: Webhooks) -> Refusals:
    return Refusals(cast("RealWebhooks", engine))


async def test_each_webhook_is_written_once_with_its_number_and_the_last_one() -> None:
    engine = Webhooks()
    made = counting(engine)
    for workspace, hook, at in ((ACME, "a", NOON), (ACME, "b", NOON), (OTHER, "a", NOON), (ACME, "a", LATER)):
        made.note(workspace, hook, at)

    await made.flush()
    await made.flush()

    assert engine.counted == [(ACME, {"a": (2, LATER), "b": (1, NOON)}), (OTHER, {"a": (1, NOON)})]


async def test_what_cannot_be_written_is_written_later_and_holds_up_no_other() -> None:
    engine = Webhooks()
    engine.away = frozenset([ACME])
    made = counting(engine)
    made.note(ACME, "a", LATER)
    made.note(OTHER, "a", NOON)
    await made.flush()
    assert engine.counted == [(OTHER, {"a": (1, NOON)})]

    engine.away = frozenset()
    made.note(ACME, "a", NOON)
    await made.flush()

    assert engine.counted[1:] == [(ACME, {"a": (2, LATER)})]


async def test_it_holds_a_bounded_number() -> None:
    engine = Webhooks()
    made = counting(engine)
    for number in range(refusals.MOST + 5):
        made.note(ACME, f"h{number}", NOON)
    made.note(ACME, "h0", LATER)

    await made.flush()

    [(_, counted)] = engine.counted
    assert len(counted) == refusals.MOST
    assert counted["h0"] == (2, LATER)
