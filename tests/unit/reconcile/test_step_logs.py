from __future__ import annotations

import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS, PODS
from headgate.dependencies import DependencyGuard
from headgate.domain.dependency_breaker import DependencyName
from headgate.domain.step_log import log_path
from headgate.objects.object_store import ObjectMissing, ObjectStore, StoreUnavailable
from headgate.reconcile import step_logs
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.workloads import Workloads
from headgate.store.errors import DatabaseUnavailable
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.unit.reconcile.letting import a_let_go
from tests.workload_builders import PodBuilder, a_job, a_pod, a_task

REF = a_task().ref
KEY = JOBS.key(a_job().manifest()["metadata"]["name"], "acme")
PATH = log_path(REF)
LIMIT = 1024


class World:
    """A Job whose attempt ended, its pod, and who keeps its log."""

    def __init__(self, pod: PodBuilder | None = None, *, url: str = "memory://", limit: int = LIMIT) -> None:
        self.kube, self.cache, self.engine = FakeKube(), Cache(), FakeEngine()
        self.objects, self.registry = ObjectStore(url), CollectorRegistry()
        workloads = Workloads(self.kube, self.cache, ttl_seconds=60)
        self.let_go = a_let_go(self.kube, self.cache, workloads, self.engine)
        self.keeper = LogKeeper(
            self.kube,
            self.cache,
            self.engine,
            self.objects,
            workloads,
            self.let_go,
            self.registry,
            limit=limit,
            monotonic=time.monotonic,
        )
        self.job = self.kube.put(JOBS, a_job().complete().manifest())
        self.cache.upsert(JOBS, self.job)
        if pod is not None:
            self.cache.upsert(PODS, self.kube.put(PODS, pod.manifest()))

    def wrote(self, text: bytes) -> None:
        """The pod's container wrote so."""
        self.kube.logs[a_pod().manifest()["metadata"]["name"]] = text

    async def keep(self, times: int = 1) -> None:
        """Hand the Job over, and let the keeper try so often; the last try must go well."""
        self.keeper.keep(KEY, self.job, REF)
        for _ in range(times - 1):
            with pytest.raises((ApiError, Unreachable, StoreUnavailable, DatabaseUnavailable, ValueError)):
                await self.keeper.once(KEY)
        await self.keeper.once(KEY)

    @property
    def is_let_go(self) -> bool:
        return self.let_go.has(KEY, self.job)

    def counted(self, result: str) -> float | None:
        return self.registry.get_sample_value("headgate_step_logs_total", {"result": result})


async def test_a_log_is_put_recorded_and_then_the_job_let_go() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"hello\n")

    await world.keep()

    assert await world.objects.get(PATH) == b"hello\n"
    assert world.engine.told == [("log", REF, PATH, 6, False)]
    assert world.is_let_go
    assert world.counted("kept") == 1
    assert not world.keeper.keeps(KEY, "job-uid")


async def test_a_job_that_is_being_deleted_is_not_let_go_as_if_its_end_were_known() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"hello\n")

    world.keeper.keep(KEY, world.job, REF, going=True)
    await world.keeper.once(KEY)

    assert await world.objects.get(PATH) == b"hello\n"
    assert not world.is_let_go


async def test_handing_over_waits_for_nothing() -> None:
    world = World(a_pod().succeeded())

    world.keeper.keep(KEY, world.job, REF)
    world.keeper.keep(KEY, world.job, REF)

    assert world.keeper.keeps(KEY, "job-uid")
    assert world.kube.requests == []


async def test_a_long_log_is_cut() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"first\n" + b"x\n" * 2000 + b"last\n")

    await world.keep()

    kept = await world.objects.get(PATH)
    assert len(kept) <= LIMIT
    assert (kept[:6], kept[-5:]) == (b"first\n", b"last\n")
    assert world.engine.told == [("log", REF, PATH, len(kept), True)]
    assert world.counted("cut") == 1


async def test_of_a_very_long_one_only_beginning_and_end_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_logs, "READ_BYTES", 16 * LIMIT)
    world = World(a_pod().succeeded())
    world.wrote(b"first\n" + b"x\n" * 200_000 + b"last\n")

    await world.keep()

    kept = await world.objects.get(PATH)
    assert (kept[:6], kept[-5:]) == (b"first\n", b"last\n")
    assert f"more than {16 * LIMIT}".encode() in kept


async def test_an_empty_log_takes_no_object() -> None:
    world = World(a_pod().succeeded())

    await world.keep()

    assert world.engine.told == [("log", REF, None, 0, False)]
    with pytest.raises(ObjectMissing):
        await world.objects.get(PATH)


async def test_where_there_is_no_room_nothing_stays_in_the_store() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"hello\n")
    world.engine.room = False

    await world.keep()

    with pytest.raises(ObjectMissing):
        await world.objects.get(PATH)
    assert world.is_let_go
    assert world.counted("no_room") == 1


async def test_while_the_store_is_away_the_job_stays(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    world = World(a_pod().succeeded(), url=f"file://{tmp_path}/taken/objects")
    world.wrote(b"hello\n")
    world.keeper.keep(KEY, world.job, REF)

    with pytest.raises(StoreUnavailable):
        await world.keeper.once(KEY)
    assert not world.is_let_go

    (tmp_path / "taken").unlink()
    await world.keeper.once(KEY)
    assert await world.objects.get(PATH) == b"hello\n"
    assert world.is_let_go


async def test_after_so_many_tries_it_is_given_up_and_counted() -> None:
    world = World(a_pod().succeeded())
    world.kube.fail("log", *[ApiError(500, "InternalError", "the kubelet is away")] * step_logs.TRIES)

    await world.keep(times=step_logs.TRIES)

    assert world.engine.told == []
    assert world.is_let_go
    assert world.counted("lost") == 1


async def test_while_the_object_store_is_left_alone_no_try_is_spent(tmp_path: Path) -> None:
    seconds = 0.0
    (tmp_path / "taken").touch()
    world = World(a_pod().succeeded(), url=f"file://{tmp_path}/taken/objects")
    world.objects._guard = DependencyGuard(DependencyName.OBJECT_STORE, monotonic=lambda: seconds)
    world.wrote(b"hello\n")
    world.keeper.keep(KEY, world.job, REF)
    for _ in range(2 * step_logs.TRIES):
        with pytest.raises(StoreUnavailable):
            await world.keeper.once(KEY)

    (tmp_path / "taken").unlink()
    seconds = 2.0
    await world.keeper.once(KEY)

    assert await world.objects.get(PATH) == b"hello\n"
    assert world.is_let_go
    assert world.counted("lost") is None


async def test_nor_does_what_nobody_thought_of_hold_a_job_for_ever() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"hello\n")
    world.engine.fail(*[ValueError("odd")] * step_logs.TRIES)

    await world.keep(times=step_logs.TRIES)

    assert world.is_let_go
    assert world.counted("lost") == 1


async def test_while_postgres_is_away_it_is_never_given_up() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"hello\n")
    world.engine.fail(*[DatabaseUnavailable("away")] * (step_logs.TRIES + 5))

    await world.keep(times=step_logs.TRIES + 6)

    assert world.engine.told == [("log", REF, PATH, 6, False)]


async def test_letting_it_go_writes_nothing() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"hello\n")

    await world.keep()

    assert world.is_let_go
    assert world.kube.verbs() == []


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ApiError(404, "NotFound", "gone"), "no_pod"),
        (ApiError(400, "BadRequest", 'container "main" is waiting to start'), "not_started"),
    ],
)
async def test_where_there_is_no_log_the_job_is_let_go_at_once(error: ApiError, result: str) -> None:
    world = World(a_pod().failed())
    world.kube.fail("log", error)

    await world.keep()

    assert world.is_let_go
    assert world.engine.told == []
    assert world.counted(result) == 1


async def test_a_pod_that_the_cache_has_not_seen_is_asked_for() -> None:
    world = World()
    world.kube.put(PODS, a_pod().succeeded().manifest())
    world.wrote(b"hello\n")

    await world.keep()

    assert world.engine.told == [("log", REF, PATH, 6, False)]


async def test_a_job_that_is_gone_keeps_its_log_all_the_same() -> None:
    world = World(a_pod().succeeded())
    world.wrote(b"hello\n")
    world.cache.remove(JOBS, world.kube.vanish(JOBS, KEY.name, "acme"))

    await world.keep()

    assert world.engine.told == [("log", REF, PATH, 6, False)]
    assert world.kube.verbs() == []


async def test_with_a_limit_of_nothing_no_log_is_read() -> None:
    world = World(a_pod().succeeded(), limit=0)

    await world.keep()

    assert world.kube.verbs("log") == []
    assert world.is_let_go
