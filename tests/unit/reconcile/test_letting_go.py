from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS
from headgate.desired.keys import NAMESPACE, ObjectKey
from headgate.domain.task import TaskRef
from headgate.reconcile.letting_go import ASKED_TOGETHER, TOGETHER
from headgate.reconcile.workloads import Workloads
from headgate.store.errors import DatabaseUnavailable
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.unit.reconcile.letting import a_let_go
from tests.workload_builders import FINISHED, WORKSPACE_ID, JobBuilder, a_job, a_task, an_owned_namespace

ENDED = datetime.fromisoformat(FINISHED)
HOUR, SPARE = timedelta(hours=1), timedelta(minutes=5)


class World:
    """Jobs in a cluster and in a cache, and who lets them go."""

    def __init__(self, *, kube: FakeKube | None = None, ttl: timedelta = HOUR, with_logs: bool = True) -> None:
        self.kube, self.cache, self.engine = kube or FakeKube(), Cache(), FakeEngine()
        self.now = ENDED
        workloads = Workloads(self.kube, self.cache, ttl_seconds=60)
        self.let_go = a_let_go(
            self.kube, self.cache, workloads, self.engine, ttl=ttl, with_logs=with_logs, wall=lambda: self.now
        )

    def there_is(self, job: JobBuilder) -> ObjectKey:
        """In the cluster, and known."""
        item = self.kube.put(JOBS, job.manifest())
        self.cache.upsert(JOBS, item)
        self.cache.upsert(NAMESPACE, an_owned_namespace(item["metadata"]["namespace"]))
        return JOBS.key(item["metadata"]["name"], item["metadata"]["namespace"])

    def noted(self, *jobs: JobBuilder) -> list[ObjectKey]:
        """There, and let go."""
        keys = [self.there_is(job) for job in jobs]
        for key in keys:
            self.let_go.note(key, self.kube.objects[key])
        return keys

    async def at(self, time: datetime) -> list[str]:
        """What is asked of the API server at that time."""
        self.now = time
        self.kube.requests.clear()
        await self.let_go.once()
        return self.kube.verbs()

    def is_known(self, job: JobBuilder) -> bool:
        item = job.manifest()
        return self.let_go.has(JOBS.key(item["metadata"]["name"], item["metadata"]["namespace"]), item)


def done(number: int, *, namespace: str = "acme") -> JobBuilder:
    """A Job that is over, one of many."""
    return a_job(a_task(run_id=run(number), namespace=namespace), uid=f"uid-{number}").complete()


def run(number: int) -> UUID:
    """A run of that number."""
    return UUID(int=(0x01890A5DAC967 << 76) | (0x8 << 60) | number)


class TestDeleting:
    async def test_jobs_stay_for_their_time_and_then_go_together(self) -> None:
        world = World()
        world.noted(done(1), done(2), done(3))

        assert await world.at(ENDED + HOUR - timedelta(seconds=1)) == []
        assert await world.at(ENDED + HOUR + SPARE) == ["delete collection Job acme/"]
        assert world.kube.objects == {}

    async def test_what_is_due_waits_for_others_a_little(self) -> None:
        world = World()
        world.noted(done(1))

        assert await world.at(ENDED + HOUR + SPARE - timedelta(seconds=1)) == []

    async def test_one_whose_time_is_not_over_does_not_go_along(self) -> None:
        world = World()
        [first] = world.noted(done(1))
        world.now = ENDED + HOUR
        [second] = world.noted(a_job(a_task(run_id=run(2)), uid="uid-2"))

        assert await world.at(ENDED + HOUR + SPARE) == [f"delete {first}"]
        assert list(world.kube.objects) == [second]

    async def test_but_not_where_there_are_many(self) -> None:
        world = World()
        world.noted(*(done(number) for number in range(TOGETHER)))

        assert await world.at(ENDED + HOUR) == ["delete collection Job acme/"]

    async def test_without_any_time_they_go_at_once(self) -> None:
        world = World(ttl=timedelta(0))
        world.noted(done(1), done(2))

        assert await world.at(ENDED) == ["delete collection Job acme/"]

    async def test_no_more_than_fit_into_a_request_go_together(self) -> None:
        world = World()
        world.noted(*(done(number) for number in range(TOGETHER + 2)))

        assert await world.at(ENDED + HOUR) == ["delete collection Job acme/"] * 2
        assert world.kube.objects == {}

    async def test_namespaces_have_requests_of_their_own(self) -> None:
        world = World()
        jobs = [done(number, namespace=namespace) for namespace in ("acme", "shop") for number in (1, 2)]
        world.noted(*jobs)

        assert await world.at(ENDED + 2 * HOUR) == ["delete collection Job acme/", "delete collection Job shop/"]

    async def test_no_job_goes_that_was_not_let_go(self) -> None:
        world = World()
        world.noted(done(1), done(2))
        other = world.there_is(done(3))

        await world.at(ENDED + 2 * HOUR)

        assert list(world.kube.objects) == [other]

    async def test_a_single_one_is_deleted_as_that_very_job(self) -> None:
        world = World()
        [key] = world.noted(done(1))
        world.kube.vanish(JOBS, key.name, key.namespace)
        world.kube.put(JOBS, a_job(a_task(run_id=run(1)), uid="another").manifest())

        assert await world.at(ENDED + 2 * HOUR) == [f"delete {key}"]
        assert key in world.kube.objects

    async def test_those_of_earlier_releases_which_have_no_label_go_one_by_one(self) -> None:
        world = World()
        keys = []
        for number in (1, 2):
            item = done(number).manifest()
            del item["metadata"]["labels"]["headgate.dev/job"]
            world.cache.upsert(JOBS, world.kube.put(JOBS, item))
            world.cache.upsert(NAMESPACE, an_owned_namespace("acme"))
            keys.append(JOBS.key(item["metadata"]["name"], "acme"))
            world.let_go.note(keys[-1], item)

        assert await world.at(ENDED + 2 * HOUR) == [f"delete {key}" for key in keys]

    async def test_one_that_is_not_over_yet_has_its_time_from_now_on(self) -> None:
        world = World()
        world.now = ENDED - timedelta(seconds=30)
        world.noted(a_job())

        assert await world.at(ENDED + HOUR + SPARE - timedelta(seconds=31)) == []
        assert len(await world.at(ENDED + HOUR + SPARE - timedelta(seconds=30))) == 1

    async def test_what_is_asked_for_is_not_asked_for_again_at_once_but_in_a_minute(self) -> None:
        world = World(ttl=timedelta(0))
        item = world.kube.put(JOBS, done(1).manifest(), finalizers=["someone.example.com/hold"])
        world.cache.upsert(JOBS, item)
        world.cache.upsert(NAMESPACE, an_owned_namespace("acme"))
        world.let_go.note(JOBS.key(item["metadata"]["name"], "acme"), item)

        assert len(await world.at(ENDED)) == 1
        assert await world.at(ENDED + timedelta(seconds=59)) == []
        assert len(await world.at(ENDED + timedelta(seconds=60))) == 1

    async def test_what_fails_holds_nothing_else_up_and_is_tried_again(self) -> None:
        world = World()
        world.noted(*(done(number, namespace=namespace) for namespace in ("acme", "shop") for number in (1, 2)))
        world.kube.fail("delete collection", ApiError(403, "Forbidden", "no"))

        assert len(await world.at(ENDED + 2 * HOUR)) == 2
        assert {key.namespace for key in world.kube.objects} == {"acme"}
        assert await world.at(ENDED + 2 * HOUR + timedelta(seconds=59)) == []
        await world.at(ENDED + 2 * HOUR + timedelta(minutes=1))
        assert world.kube.objects == {}

    async def test_one_that_is_refused_keeps_no_other(self) -> None:
        world = World()
        keys = world.noted(done(1), done(2), done(3))
        refused = ApiError(403, "Forbidden", "no")
        world.kube.fail("delete collection", refused)
        world.kube.fail("delete", refused)

        await world.at(ENDED + 2 * HOUR)
        assert await world.at(ENDED + 3 * HOUR) == [f"delete {key}" for key in keys]
        assert list(world.kube.objects) == keys[:1]

    async def test_while_the_api_server_is_away_they_stay_together(self) -> None:
        world = World()
        world.noted(done(1), done(2))
        world.kube.fail("delete collection", Unreachable("away"))

        await world.at(ENDED + 2 * HOUR)
        assert await world.at(ENDED + 3 * HOUR) == ["delete collection Job acme/"]

    async def test_one_that_is_gone_takes_no_request_and_is_forgotten(self) -> None:
        world = World()
        [key] = world.noted(done(1))
        world.cache.remove(JOBS, world.kube.vanish(JOBS, key.name, key.namespace))

        assert await world.at(ENDED + 2 * HOUR) == []
        assert not world.is_known(done(1))

    async def test_until_it_is_seen_to_be_gone_it_is_known_to_be_let_go(self) -> None:
        world = World()
        world.noted(done(1))

        await world.at(ENDED + 2 * HOUR)

        assert world.is_known(done(1))

    async def test_in_a_namespace_that_is_no_workspace_s_any_more_nothing_is_tried(self) -> None:
        world = World()
        world.noted(done(1))
        world.cache.remove(NAMESPACE, an_owned_namespace("acme"))

        assert await world.at(ENDED + 2 * HOUR) == []

    async def test_a_namespace_that_is_let_go_is_left_by_all_of_them_at_once(self) -> None:
        world = World()
        world.noted(done(1), done(2), done(3, namespace="shop"))

        await world.let_go.leave("acme")

        assert [key.namespace for key in world.kube.objects] == ["shop"]


class TestAsking:
    """After a start."""

    def restarted(self, *jobs: JobBuilder) -> World:
        world = World()
        for job in jobs:
            world.there_is(job)
        return world

    async def test_what_is_recorded_with_its_log_was_let_go(self) -> None:
        world = self.restarted(done(1), done(2))
        world.engine.settled = frozenset({done(1).task.ref})

        await world.let_go.ask(WORKSPACE_ID)

        assert (world.is_known(done(1)), world.is_known(done(2))) == (True, False)

    async def test_its_time_runs_from_when_it_ended(self) -> None:
        world = self.restarted(done(1))
        world.engine.settled = frozenset({done(1).task.ref})
        world.now = ENDED + HOUR + SPARE

        await world.let_go.ask(WORKSPACE_ID)

        assert len(await world.at(world.now)) == 1

    async def test_it_is_asked_once_however_many_want_to_know(self) -> None:
        world = self.restarted(done(1))
        world.engine.settled = frozenset({done(1).task.ref})

        await asyncio.gather(*(world.let_go.ask(WORKSPACE_ID) for _ in range(5)))
        world.there_is(done(2))
        await world.let_go.ask(WORKSPACE_ID)

        assert [told[0] for told in world.engine.told] == ["settled"]

    async def test_while_postgres_is_away_it_is_asked_again(self) -> None:
        world = self.restarted(done(1))
        world.engine.settled = frozenset({done(1).task.ref})
        world.engine.fail(DatabaseUnavailable("away"))

        with pytest.raises(DatabaseUnavailable):
            await world.let_go.ask(WORKSPACE_ID)
        await world.let_go.ask(WORKSPACE_ID)

        assert world.is_known(done(1))

    async def test_nobody_asks_about_what_is_under_way_going_or_no_attempt_s(self) -> None:
        stray = done(3)
        world = self.restarted(a_job(a_task(run_id=run(1))), done(2).deleting(), done(4).let_go())
        item = stray.manifest()
        del item["metadata"]["annotations"]
        world.cache.upsert(JOBS, item)

        await world.let_go.ask(WORKSPACE_ID)

        assert world.engine.told == []

    async def test_where_no_logs_are_kept_none_is_waited_for(self) -> None:
        world = World(with_logs=False)
        world.there_is(done(1))

        await world.let_go.ask(WORKSPACE_ID)

        assert world.engine.told == [("settled", WORKSPACE_ID, (done(1).task.ref,), False)]

    async def test_many_are_asked_about_in_several_queries(self) -> None:
        world = self.restarted(*(done(number) for number in range(ASKED_TOGETHER + 1)))

        await world.let_go.ask(WORKSPACE_ID)

        assert sorted(len(asked(told)) for told in world.engine.told) == [1, ASKED_TOGETHER]


def asked(told: Sequence[object]) -> tuple[TaskRef, ...]:
    """What a query was about."""
    refs = told[2]
    assert isinstance(refs, tuple)
    return refs
