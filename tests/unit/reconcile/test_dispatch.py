from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from uuid import UUID

from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.domain.task import ClaimTerms, JobTask, TaskRef
from headgate.engine.run_metrics import RunMetrics
from headgate.engine.types import Claimed, Effects
from headgate.reconcile.dispatch import Dispatcher
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.workloads import Workloads
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.workload_builders import a_task

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
LIMIT = 2


class Queue(FakeEngine):
    """Gives out what is queued, so many at a time."""

    def __init__(self, *tasks: JobTask) -> None:
        super().__init__()
        self.queued = list(tasks)

    async def claim_jobs(self, terms: ClaimTerms, now: datetime, leave: Collection[UUID] = ()) -> Claimed:
        self.note("claim")
        taken, self.queued = self.queued[: terms.limit], self.queued[terms.limit :]
        return Claimed(tuple(taken), LATER)

    async def record_jobs(self, jobs: Iterable[tuple[TaskRef, str]], claimed_at: datetime | None = None) -> Effects:
        return self.note("record", len(tuple(jobs)))


def tasks(number: int) -> list[JobTask]:
    return [a_task(attempt=attempt) for attempt in range(1, number + 1)]


async def dispatched(queue: Queue) -> tuple[datetime | None, list[tuple[object, ...]]]:
    """When the next is due, and what the engine was asked."""
    kube = FakeKube()
    workloads = Workloads(kube, Cache(), ttl_seconds=60)
    metrics = RunMetrics(CollectorRegistry(), lambda _: None)
    effects = EffectHandler(workloads, lambda _: None, metrics, later=lambda _key, _seconds: None)
    dispatcher = Dispatcher(queue, workloads, effects, ClaimTerms("operator-0", LIMIT), wall=lambda: NOON)
    return await dispatcher.once(), queue.told


async def test_what_is_less_than_could_be_claimed_is_all_there_is() -> None:
    assert await dispatched(Queue(*tasks(LIMIT - 1))) == (LATER, [("claim",), ("record", 1)])


async def test_where_as_much_was_claimed_as_could_be_there_may_be_more() -> None:
    due, asked = await dispatched(Queue(*tasks(LIMIT + 1)))

    assert asked == [("claim",), ("record", LIMIT), ("claim",), ("record", 1)]
    assert due == LATER


async def test_where_nothing_is_due_nothing_is_recorded() -> None:
    assert await dispatched(Queue()) == (LATER, [("claim",)])
