from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import EVENTS, JOBS, PODS
from headgate.desired.keys import NAMESPACE
from headgate.reconcile import warnings
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.warnings import Warnings
from tests.unit.cluster.test_reflector import Watched
from tests.unit.cluster.virtual_time import settle
from tests.workload_builders import a_job, a_pod, a_warning, an_owned_namespace

JOB = a_job().manifest()
POD = a_pod().manifest()
KEY = Key(Topic.JOB, JOB["metadata"]["name"], "acme")


class World:
    """A Job with its pod in a workspace, and who hears of warnings."""

    def __init__(self, *watches: list[tuple[str, Object] | Exception]) -> None:
        self.kube, self.cache, self.keys = Watched(*watches), Cache(), list[Key]()
        self.cache.upsert(NAMESPACE, an_owned_namespace("acme"))
        self.cache.upsert(JOBS, JOB)
        self.cache.upsert(PODS, POD)
        self.pauses: list[float] = []
        self.warnings = Warnings(self.kube, self.cache, self.keys.append, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Until all watches are over, and all that was asked for is listed; and again at the end."""
        running = asyncio.create_task(self.warnings.run())
        await settle()
        yield
        await settle()
        running.cancel()
        await asyncio.wait({running})

    async def run(self) -> None:
        async with self.running():
            pass

    def reasons(self, *uids: str, namespace: str = "acme") -> list[str]:
        return [trouble.reason for trouble in self.warnings.about(namespace, *(uids or ("pod-uid", "job-uid")))]


def of_the_pod(reason: str = "FailedMount", **members: Any) -> Object:
    return a_warning(reason, name=POD["metadata"]["name"], **members)


async def test_a_warning_is_known_and_its_job_looked_at() -> None:
    of_the_job = a_warning("FailedCreate", kind="Job", name=KEY.name, uid="job-uid")
    world = World([("ADDED", of_the_pod()), ("MODIFIED", of_the_job)])

    await world.run()

    assert world.reasons() == ["Mount", "PodRefused"]
    assert world.keys == [KEY, KEY]
    assert world.kube.asked[0] == ("type=Warning", world.kube.version)


async def test_others_are_none_of_its_business() -> None:
    world = World(
        [
            ("ADDED", of_the_pod("BackOff")),
            ("ADDED", a_warning("FailedMount", namespace="kube-system", uid="b")),
            ("ADDED", a_warning("FailedMount", kind="StatefulSet", uid="c")),
            ("DELETED", of_the_pod()),
            ("BOOKMARK", {"metadata": {"resourceVersion": "70"}}),
        ]
    )

    await world.run()

    assert world.reasons("pod-uid", "b", "c") == []
    assert world.keys == []


async def test_of_each_reason_the_last_is_kept_in_whatever_order_they_come() -> None:
    world = World()
    for at in ("2026-03-01T12:00:06Z", "2026-03-01T12:00:05Z"):
        world.warnings.take_in(of_the_pod(message=at, at=at))
    world.warnings.take_in(of_the_pod("FailedScheduling"))

    found = world.warnings.about("acme", "pod-uid")

    assert [(trouble.reason, trouble.message) for trouble in found] == [
        ("Mount", "2026-03-01T12:00:06Z"),
        ("Unschedulable", ""),
    ]


async def test_what_was_there_before_is_listed_once_where_somebody_asks() -> None:
    world = World([])
    world.kube.put(EVENTS, of_the_pod())
    world.kube.put(EVENTS, {**of_the_pod("FailedCreatePodSandBox", version=51), "type": "Normal"})

    assert [world.reasons() for _ in range(3)] == [[], [], []]
    world.kube.watches = []
    await world.run()

    assert world.reasons() == ["Mount"]
    assert world.keys == [KEY]
    assert world.kube.verbs("list") == [f"list {EVENTS.key('', 'acme')}"]


async def test_where_a_list_fails_it_is_asked_for_again() -> None:
    world = World()
    world.kube.put(EVENTS, of_the_pod())
    world.kube.fail("list", Unreachable("no answer"))

    async with world.running():
        for _ in range(2):
            assert world.reasons() == []
            await settle()

    assert world.reasons() == ["Mount"]


async def test_a_gap_in_the_watch_is_closed_where_somebody_asks() -> None:
    world = World([ApiError(410, "Expired", "too old")], [])
    world.kube.put(EVENTS, of_the_pod())
    world.warnings._listed.add("acme")

    await world.run()
    world.reasons()
    await world.run()

    assert world.reasons() == ["Mount"]


async def test_a_watch_that_breaks_goes_on_where_it_was() -> None:
    world = World([("ADDED", of_the_pod(version=77)), Unreachable("silence")], [])

    await world.run()

    assert [version for _, version in world.kube.asked][1] == 77
    assert world.pauses[0] > 0


async def test_only_so_many_are_remembered() -> None:
    world = World()

    for number in range(warnings.REMEMBERED + 1):
        world.warnings.take_in(of_the_pod(uid=f"pod-{number}"))

    assert world.reasons("pod-0") == []
    assert world.reasons("pod-1", f"pod-{warnings.REMEMBERED}") == ["Mount", "Mount"]
