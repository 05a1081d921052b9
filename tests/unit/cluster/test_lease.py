from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.lease import Leadership, LeaseSettings, LostLeadership, Observation, may_take
from headgate.cluster.resources import LEASES
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.cluster.virtual_time import in_virtual_time, now, settle

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
KEY = LEASES.key("operator", "headgate-system")
AWAY = Unreachable("no answer")


class SlowKube(FakeKube):
    """Carries a replacement out at once, and answers so many seconds later."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__()
        self.seconds = seconds
        self.replaced = 0.0

    async def replace(self, *args: Any) -> Object:
        answer = await super().replace(*args)
        self.replaced = now()
        await asyncio.sleep(self.seconds)
        return answer


class FarKube(FakeKube):
    """What it says is half a second old when it arrives."""

    async def get(self, *args: Any) -> Object:
        answer = await super().get(*args)
        await asyncio.sleep(0.5)
        return answer


def leadership(kube: FakeKube, identity: str, *, clock_skew: timedelta = timedelta(0)) -> Leadership:
    """A replica whose own clock goes wrong by ``clock_skew``."""
    settings = LeaseSettings(name="operator", namespace="headgate-system", identity=identity)
    start = now()
    return Leadership(kube, settings, monotonic=now, wall=lambda: NOON + clock_skew + timedelta(seconds=now() - start))


@asynccontextmanager
async def leading(replica: Leadership) -> AsyncIterator[asyncio.Task[None]]:
    """The replica has acquired the lease and keeps it."""
    await replica.acquire()
    keeping = asyncio.create_task(replica.keep())
    yield keeping
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


def spec(kube: FakeKube) -> dict[str, Any]:
    found: dict[str, Any] = kube.objects[KEY]["spec"]
    return found


@in_virtual_time
async def test_a_free_name_is_taken_at_once() -> None:
    kube, start = FakeKube(), now()

    await leadership(kube, "a").acquire()

    assert now() == start
    assert spec(kube) == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-03-01T12:00:00.000000Z",
        "renewTime": "2026-03-01T12:00:00.000000Z",
        "leaseTransitions": 1,
    }


@pytest.mark.parametrize("body", [{}, {"spec": {}}, {"spec": {"holderIdentity": ""}}], ids=str)
def test_a_lease_that_nobody_holds_is_taken_at_once(body: dict[str, Any]) -> None:
    @in_virtual_time
    async def scenario() -> None:
        kube, start = FakeKube(), now()
        kube.put(LEASES, {"metadata": {"name": "operator", "namespace": "headgate-system"}, **body})
        await leadership(kube, "a").acquire()
        assert now() == start
        assert spec(kube)["holderIdentity"] == "a"

    scenario()


@in_virtual_time
async def test_the_holder_renews_without_a_new_term() -> None:
    kube = FakeKube()

    async with leading(leadership(kube, "a")):
        await asyncio.sleep(61)

    assert spec(kube)["renewTime"] == "2026-03-01T12:01:00.000000Z"
    assert spec(kube)["acquireTime"] == "2026-03-01T12:00:00.000000Z"
    assert spec(kube)["leaseTransitions"] == 1


@in_virtual_time
async def test_while_one_renews_no_other_leads() -> None:
    kube = FakeKube()

    async with leading(leadership(kube, "a")):
        other = asyncio.create_task(leadership(kube, "b").acquire())
        await asyncio.sleep(600)
        assert not other.done()
        other.cancel()


@in_virtual_time
async def test_who_waits_tells_for_whom_once() -> None:
    kube = FakeKube()

    with capture_logs() as logs:
        async with leading(leadership(kube, "a")):
            other = asyncio.create_task(leadership(kube, "b").acquire())
            await asyncio.sleep(600)
            other.cancel()

    assert [log["holder"] for log in logs if log["event"] == "another one leads"] == ["a"]


@pytest.mark.parametrize("skew", [timedelta(days=-400), timedelta(0), timedelta(days=400)], ids=str)
def test_another_takes_over_when_it_saw_no_renewal_for_the_duration_whatever_the_clocks_say(skew: timedelta) -> None:
    @in_virtual_time
    async def scenario() -> None:
        kube = FakeKube()
        await leadership(kube, "a").acquire()
        await asyncio.sleep(100)
        seen = now()
        await leadership(kube, "b", clock_skew=skew).acquire()
        assert 15 < now() - seen <= 15 + 2 * 15 / 7.5
        assert spec(kube)["holderIdentity"] == "b"
        assert spec(kube)["leaseTransitions"] == 2

    scenario()


@in_virtual_time
async def test_a_renewal_that_was_seen_starts_the_wait_anew() -> None:
    kube = FakeKube()
    holder = leadership(kube, "a")
    async with leading(holder):
        other = asyncio.create_task(leadership(kube, "b").acquire())
        await asyncio.sleep(12)
    stopped = now()

    await other

    assert now() - stopped > 12


@in_virtual_time
async def test_of_two_that_would_take_over_one_does() -> None:
    kube = FarKube()
    await leadership(kube, "gone").acquire()
    replicas = [asyncio.create_task(leadership(kube, name).acquire()) for name in ("b", "c")]

    done, waiting = await asyncio.wait(replicas, timeout=25)

    assert len(done) == 1
    for task in waiting:
        task.cancel()


@in_virtual_time
async def test_whoever_lost_the_race_sees_a_conflict_and_waits() -> None:
    kube = FakeKube()
    kube.put(LEASES, {"metadata": {"name": "operator", "namespace": "headgate-system"}, "spec": {}})
    kube.fail("replace", ApiError(409, "Conflict", "modified"))
    start = now()

    await leadership(kube, "a").acquire()

    assert now() == start + 2


@in_virtual_time
async def test_the_api_server_being_away_does_not_end_the_wait() -> None:
    kube = FakeKube()
    kube.fail("get", AWAY, ApiError(500, "InternalError", "etcd"))
    start = now()

    await leadership(kube, "a").acquire()

    assert now() == start + 4


@in_virtual_time
async def test_a_short_absence_of_the_api_server_is_survived() -> None:
    kube = FakeKube()

    async with leading(leadership(kube, "a")) as keeping:
        kube.fail("get", AWAY, AWAY, AWAY)
        await asyncio.sleep(60)
        assert not keeping.done()


@in_virtual_time
async def test_leadership_ends_before_others_take_over_when_no_renewal_succeeds() -> None:
    kube = FakeKube()
    await leadership(kube, "a").acquire()
    holder = leadership(kube, "a")
    async with leading(holder) as keeping:
        acquired = now()
        kube.fail("get", *[AWAY] * 100)
        with pytest.raises(LostLeadership):
            await keeping
        assert 10 <= now() - acquired < 15


@in_virtual_time
async def test_a_renewal_counts_from_when_it_was_asked_for_and_not_from_its_answer() -> None:
    kube = SlowKube()
    async with leading(leadership(kube, "a")) as keeping:
        kube.seconds = 9
        await asyncio.sleep(2.5)
        kube.fail("get", *[AWAY] * 100)
        with pytest.raises(LostLeadership):
            await keeping
        assert now() - kube.replaced < 15


@in_virtual_time
async def test_so_it_does_where_the_lease_was_acquired() -> None:
    kube = SlowKube(9)
    kube.put(LEASES, {"metadata": {"name": "operator", "namespace": "headgate-system"}, "spec": {}})

    async with leading(leadership(kube, "a")) as keeping:
        kube.fail("get", *[AWAY] * 100)
        with pytest.raises(LostLeadership):
            await keeping
        assert now() - kube.replaced < 15


@in_virtual_time
async def test_an_answer_that_does_not_come_ends_leadership_in_time() -> None:
    kube = SlowKube()
    async with leading(leadership(kube, "a")) as keeping:
        acquired = now()
        kube.seconds = 1_000
        with pytest.raises(LostLeadership):
            await keeping
        assert now() - acquired <= 12


@in_virtual_time
async def test_one_answer_that_does_not_come_is_survived() -> None:
    kube = SlowKube()
    async with leading(leadership(kube, "a")) as keeping:
        kube.seconds = 3600
        await asyncio.sleep(2.5)
        kube.seconds = 0

        await asyncio.sleep(60)

        assert not keeping.done()
        assert now() - kube.replaced <= 2


@in_virtual_time
async def test_leadership_ends_at_once_when_another_holds_the_lease() -> None:
    kube = FakeKube()
    async with leading(leadership(kube, "a")) as keeping:
        await settle()
        kube.objects[KEY]["spec"]["holderIdentity"] = "b"
        taken = now()
        with pytest.raises(LostLeadership):
            await keeping
        assert now() - taken <= 2


@in_virtual_time
async def test_released_the_lease_is_another_s_at_once() -> None:
    kube = FakeKube()
    holder = leadership(kube, "a")
    await holder.acquire()
    start = now()

    await holder.release()
    await leadership(kube, "b").acquire()

    assert now() == start
    assert spec(kube)["holderIdentity"] == "b"


@in_virtual_time
async def test_only_the_holder_gives_the_lease_up() -> None:
    kube = FakeKube()
    await leadership(kube, "a").acquire()

    await leadership(kube, "b").release()

    assert spec(kube)["holderIdentity"] == "a"


@in_virtual_time
async def test_a_renewal_that_is_carried_out_late_does_not_keep_the_lease() -> None:
    kube = FakeKube()
    holder = leadership(kube, "a")
    await holder.acquire()
    kube.fail("replace", ApiError(409, "Conflict", "modified"), ApiError(409, "Conflict", "modified"))

    await holder.release()

    assert spec(kube)["holderIdentity"] == ""


@pytest.mark.parametrize("error", [AWAY, ApiError(404, "NotFound", "gone"), ApiError(409, "Conflict", "modified")])
def test_giving_up_may_fail(error: Exception) -> None:
    @in_virtual_time
    async def scenario() -> None:
        kube = FakeKube()
        holder = leadership(kube, "a")
        await holder.acquire()
        assert isinstance(error, ApiError | Unreachable)
        kube.fail("replace", error, error, error)
        await holder.release()
        assert spec(kube)["holderIdentity"] == "a"

    scenario()


@pytest.mark.parametrize(
    ("seen", "may"),
    [
        (None, True),
        (Observation("", "t", since=100), True),
        (Observation("me", "t", since=100), True),
        (Observation("other", "t", since=100), False),
        (Observation("other", "t", since=85), False),
        (Observation("other", "t", since=84.9), True),
    ],
)
def test_what_may_be_taken(seen: Observation | None, *, may: bool) -> None:
    assert may_take(seen, identity="me", now=100, duration=15) is may


def test_a_holder_gives_up_before_others_take_over() -> None:
    settings = LeaseSettings(name="operator", namespace="headgate-system", identity="a", duration_seconds=15)

    assert settings.renew_deadline_seconds + settings.retry_seconds < settings.duration_seconds
