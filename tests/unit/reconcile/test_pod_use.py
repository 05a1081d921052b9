from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from headgate.cluster.cache import Cache
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS, POD_METRICS, PODS
from headgate.domain.amounts import Amount
from headgate.domain.measured import Measured
from headgate.reconcile.pod_use import PodUse
from tests.unit.cluster.fake_kube import FakeKube
from tests.workload_builders import STARTED, a_job, a_pod

BEGAN = datetime.fromisoformat(STARTED)


class Cluster:
    """A pod of an attempt that runs, and metrics of it."""

    def __init__(self) -> None:
        self.kube, self.cache = FakeKube(), Cache()
        self.now = BEGAN + timedelta(seconds=30)
        self.use = PodUse(self.kube, self.cache, wall=lambda: self.now)
        self.job = a_job()
        self.cache.upsert(JOBS, self.kube.put(JOBS, self.job.manifest()))
        self.pod = a_pod(self.job).running().manifest()
        self.sees(self.pod)

    def sees(self, pod: dict[str, Any]) -> None:
        self.cache.upsert(PODS, self.kube.put(PODS, pod))

    def tells(self, *, at: datetime | None = None, cpu: str = "2", memory: str = "1Gi", **metadata: Any) -> None:
        """Metrics of the pod as of now."""
        own = {key: self.pod["metadata"][key] for key in ("name", "namespace", "labels")}
        metrics = {
            "metadata": {**own, **metadata},
            "timestamp": (at or self.now).isoformat(),
            "window": "15s",
            "containers": [{"name": "main", "usage": {"cpu": cpu, "memory": memory}}],
        }
        self.kube.put(POD_METRICS, metrics)

    @property
    def known(self) -> Measured | None:
        held = self.use.of((self.pod,))
        return held.used if held is not None else None

    def asked(self) -> int:
        return len([key for verb, key in self.kube.requests if verb == "list" and key.group == "metrics.k8s.io"])


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def test_the_mean_over_what_was_told_is_known(cluster: Cluster) -> None:
    cluster.tells(cpu="2")
    await cluster.use.once()
    cluster.now += timedelta(seconds=15)
    cluster.tells(cpu="1")
    await cluster.use.once()

    assert cluster.known == Measured(Amount.parse("1500m"), Amount.of(2**30))


async def test_all_is_asked_for_at_once(cluster: Cluster) -> None:
    cluster.sees(a_pod(cluster.job, uid="another").running().manifest())
    cluster.tells()

    await cluster.use.once()

    assert cluster.asked() == 1


async def test_nothing_is_asked_for_without_jobs(cluster: Cluster) -> None:
    use = PodUse(cluster.kube, Cache(), wall=lambda: cluster.now)

    await use.once()

    assert cluster.asked() == 0


@pytest.mark.parametrize(
    "trouble",
    [
        ApiError.of(404, {"message": "the server could not find the requested resource"}, None),
        ApiError.of(403, {"message": "forbidden"}, None),
        ApiError.of(503, {"message": "the server is currently unable to handle the request"}, None),
        Unreachable("no answer"),
    ],
)
async def test_who_does_not_tell_is_asked_again_after_a_while(
    cluster: Cluster, trouble: ApiError | Unreachable
) -> None:
    cluster.tells()
    cluster.kube.fail("list", trouble)
    await cluster.use.once()
    cluster.now += timedelta(minutes=4)
    await cluster.use.once()
    assert (cluster.asked(), cluster.known) == (1, None)

    cluster.now += timedelta(minutes=2)
    cluster.tells()
    await cluster.use.once()

    assert cluster.known is not None


@pytest.mark.parametrize("page", [{}, {"metadata": {}, "items": "none"}, {"metadata": {}, "items": [7]}, []])
async def test_who_answers_with_something_else_is_asked_again_after_a_while(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, page: Any
) -> None:
    async def pages(*_: Any, **__: Any) -> AsyncIterator[Any]:
        assert page["metadata"] is not None
        yield page

    with monkeypatch.context() as patched:
        patched.setattr(cluster.kube, "list_pages", pages)
        await cluster.use.once()
    cluster.tells()
    await cluster.use.once()
    assert cluster.known is None

    cluster.now += timedelta(minutes=6)
    cluster.tells()
    await cluster.use.once()
    assert cluster.known is not None


async def test_what_is_told_of_others_is_passed_over(cluster: Cluster) -> None:
    cluster.tells(name="somebody-elses")
    cluster.kube.put(POD_METRICS, {"metadata": {"name": "garbage", "labels": cluster.pod["metadata"]["labels"]}})

    await cluster.use.once()

    assert cluster.known is None


async def test_what_comes_after_the_end_counts_no_more(cluster: Cluster) -> None:
    cluster.sees({**a_pod(cluster.job).succeeded().manifest()})
    cluster.tells()

    await cluster.use.once()

    assert cluster.known is None


async def test_of_a_pod_that_is_gone_nothing_is_kept(cluster: Cluster) -> None:
    cluster.tells()
    await cluster.use.once()
    assert cluster.known is not None
    gone = cluster.kube.vanish(PODS, cluster.pod["metadata"]["name"], cluster.pod["metadata"]["namespace"])
    cluster.cache.remove(PODS, gone)

    await cluster.use.once()

    assert cluster.known is None
