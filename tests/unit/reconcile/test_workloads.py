from __future__ import annotations

from uuid import UUID

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS, PODS
from headgate.desired.keys import ObjectKey
from headgate.reconcile.workloads import ForeignJob, NoRunners, Workloads, attempt_of
from tests.unit.cluster.fake_kube import FakeKube
from tests.workload_builders import RUNNERS, JobBuilder, a_job, a_pod, a_script_task, a_task


class World:
    """Jobs in a cluster and in a cache."""

    def __init__(self) -> None:
        self.kube, self.cache = FakeKube(), Cache()
        self.workloads = Workloads(self.kube, self.cache, ttl_seconds=60)

    def there_is(self, job: JobBuilder) -> ObjectKey:
        """In the cluster, and known."""
        item = self.kube.put(JOBS, job.manifest())
        self.cache.upsert(JOBS, item)
        return JOBS.key(item["metadata"]["name"], item["metadata"]["namespace"])


def key_of(job: JobBuilder) -> ObjectKey:
    return JOBS.key(job.manifest()["metadata"]["name"], "acme")


class TestEnsure:
    async def test_the_job_is_made_and_known_at_once(self) -> None:
        world, task = World(), a_task()

        uid = await world.workloads.ensure(task)

        assert world.kube.verbs() == [f"create {key_of(a_job())}"]
        assert world.cache.uid(key_of(a_job())) == uid
        assert world.workloads.of(task.ref) == (key_of(a_job()),)

    async def test_where_an_earlier_try_made_it_that_one_is_taken(self) -> None:
        world = World()
        first = await world.workloads.ensure(a_task())

        assert await Workloads(world.kube, Cache(), ttl_seconds=60).ensure(a_task()) == first

    async def test_a_job_of_that_name_that_is_not_of_the_attempt_is_not_taken(self) -> None:
        world = World()
        foreign = a_job().manifest()
        foreign["metadata"]["labels"]["headgate.dev/run"] = str(UUID(int=7))
        world.kube.put(JOBS, foreign)

        with pytest.raises(ForeignJob, match="is not of this run; delete it"):
            await world.workloads.ensure(a_task())

    @pytest.mark.parametrize("change", ["labels", "annotations"])
    async def test_nor_is_one_that_does_not_say_what_it_is_of(self, change: str) -> None:
        world = World()
        foreign = a_job().manifest()
        del foreign["metadata"][change]
        world.kube.put(JOBS, foreign)

        with pytest.raises(ForeignJob):
            await world.workloads.ensure(a_task())

    @pytest.mark.parametrize("error", [ApiError(403, "Forbidden", "exceeded quota"), Unreachable("away")])
    async def test_other_refusals_are_told(self, error: ApiError | Unreachable) -> None:
        world = World()
        world.kube.fail("create", error)

        with pytest.raises(type(error)):
            await world.workloads.ensure(a_task())

    async def test_a_script_s_job_is_made_in_the_image_of_runners(self) -> None:
        kube, cache = FakeKube(), Cache()

        await Workloads(kube, cache, ttl_seconds=60, runners=RUNNERS).ensure(a_script_task())

        [job] = kube.objects.values()
        [container] = job["spec"]["template"]["spec"]["containers"]
        assert container["image"] == RUNNERS.image

    async def test_without_one_it_cannot_be_made(self) -> None:
        world = World()

        with pytest.raises(NoRunners):
            await world.workloads.ensure(a_script_task())

        assert world.kube.requests == []


class TestEnd:
    async def test_the_attempt_s_job_is_deleted_and_no_other(self) -> None:
        world = World()
        key = world.there_is(a_job(a_task("extract", attempt=2)))
        world.there_is(a_job(a_task("extract", attempt=1)))
        world.there_is(a_job(a_task("extract", attempt=2, run_id=UUID(int=7))))

        await world.workloads.end(a_task("extract", attempt=2).ref)

        assert world.kube.verbs() == [f"delete {key}"]

    async def test_where_there_is_none_nothing_happens(self) -> None:
        world = World()

        await world.workloads.end(a_task().ref)

        assert world.kube.requests == []

    async def test_one_that_is_going_is_left_to_go(self) -> None:
        world = World()
        world.there_is(a_job().deleting())

        await world.workloads.end(a_task().ref)

        assert world.kube.requests == []

    async def test_one_that_is_gone_is_as_good(self) -> None:
        world = World()
        key = world.there_is(a_job())
        world.kube.vanish(JOBS, key.name, key.namespace)

        await world.workloads.end(a_task().ref)

    async def test_only_that_very_job_is_deleted(self) -> None:
        world = World()
        key = world.there_is(a_job())
        world.kube.vanish(JOBS, key.name, key.namespace)
        world.kube.put(JOBS, a_job(uid="another").manifest())

        await world.workloads.end(a_task().ref)

        assert world.kube.objects[key]["metadata"]["uid"] == "another"

    async def test_other_refusals_are_told(self) -> None:
        world = World()
        world.there_is(a_job())
        world.kube.fail("delete", Unreachable("away"))

        with pytest.raises(Unreachable):
            await world.workloads.end(a_task().ref)


class TestTimeToLive:
    async def test_kubernetes_deletes_the_job_later(self) -> None:
        world = World()
        key = world.there_is(a_job().complete())

        await world.workloads.give_time_to_live(key, world.kube.objects[key])

        assert world.kube.objects[key]["spec"]["ttlSecondsAfterFinished"] == 60
        assert (world.cache.get(key) or {})["spec"]["ttlSecondsAfterFinished"] == 60

    @pytest.mark.parametrize("job", [a_job().let_go(0), a_job().deleting()], ids=["let go", "going"])
    async def test_once_is_enough(self, job: JobBuilder) -> None:
        world = World()
        key = world.there_is(job)

        await world.workloads.give_time_to_live(key, world.kube.objects[key])

        assert world.kube.requests == []

    async def test_one_that_is_gone_is_as_good(self) -> None:
        world = World()
        key = world.there_is(a_job())
        live = world.kube.vanish(JOBS, key.name, key.namespace)

        await world.workloads.give_time_to_live(key, live)

    async def test_other_refusals_are_told(self) -> None:
        world = World()
        key = world.there_is(a_job())
        world.kube.fail("patch", ApiError(500, "InternalError", "etcd"))

        with pytest.raises(ApiError):
            await world.workloads.give_time_to_live(key, world.kube.objects[key])


async def test_a_job_s_pods_are_asked_of_the_api_server() -> None:
    world = World()
    key = world.there_is(a_job())
    world.kube.put(PODS, a_pod().manifest())
    world.kube.put(PODS, a_pod(a_job(a_task("report"))).manifest())

    assert [pod["metadata"]["uid"] for pod in await world.workloads.pods(key)] == ["pod-uid"]


def test_a_job_says_which_attempt_it_is_of() -> None:
    assert attempt_of(a_job(a_task("extract", attempt=3)).manifest()) == a_task("extract", attempt=3).ref
    assert attempt_of({"metadata": {"name": "x"}}) is None
