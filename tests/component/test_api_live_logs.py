"""Logs that are followed while their attempts run: as they are written, whole, and from nobody else's pod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest

from headgate.cluster.errors import ApiError
from headgate.domain.runner_log import FrameWriter
from headgate.domain.runner_task import RunnerTask
from headgate.domain.step_log import log_path
from headgate.engine.types import Outcome
from headgate.gateway import log_feed
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.api_server import Pod
from tests.component.streaming import Reading, reading, serving
from tests.component.world import World, one_node
from tests.support.waiting import eventually

LEASE = timedelta(seconds=15)


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at each second otherwise."""
    monkeypatch.setattr(log_feed, "CHECK_SECONDS", 0.05)


@pytest.fixture
async def run(world: World) -> UUID:
    """A run whose node is due."""
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    return await world.admit()


async def running(api: Api, run: UUID) -> Pod:
    """The pod of the node, which runs."""
    await api.world.claim()
    await api.world.engine.mark_running(api.world.ref(run, "work"), api.world.clock.now)
    labels = {"workspace": "acme", "run": str(run), "node": "work", "attempt": "1"}
    api.server.pods["work-1"] = pod = Pod({f"headgate.dev/{name}": value for name, value in labels.items()})
    return pod


async def tried(pod: Pod) -> None:
    """Return when somebody tried to read the pod."""

    async def read() -> bool:
        return bool(pod.readings)

    await eventually(read, within=10, every=0.02, what="a try to read the pod")


async def keep(api: Api, run: UUID, content: bytes, *, truncated: bool = False) -> None:
    """Keep the log as the operator does, which lets the pod go then."""
    ref = api.world.ref(run, "work")
    await api.objects.put(log_path(ref), content)
    await api.world.engine.logs.record(ref, log_path(ref), len(content), truncated=truncated)


@asynccontextmanager
async def following(api: Api, run: UUID) -> AsyncIterator[Text]:
    """Somebody who follows the log of the node."""
    token = (await api.issue()).text
    async with serving(api) as url, reading(url, f"/runs/{run}/steps/work/log?follow=true", token) as stream:
        assert stream.answer.status_code == 200
        yield Text(stream)


class Text:
    """What comes of a log."""

    def __init__(self, stream: Reading) -> None:
        self._pieces = stream.answer.aiter_raw()
        self.text = b""

    async def until(self, end: bytes) -> bytes:
        """All that came up to that."""
        async with asyncio.timeout(10):
            while not self.text.endswith(end):
                self.text += await anext(self._pieces)
        return self.text

    async def whole(self) -> bytes:
        """All of it, to its end."""
        async with asyncio.timeout(10):
            async for piece in self._pieces:
                self.text += piece
        return self.text


async def test_what_a_container_writes_comes_while_it_runs_and_ends_with_it(world: World, api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.write(b"one\n", b"\n")
    async with following(api, run) as log:
        assert await log.until(b"\n\n") == b"one\n\n"
        pod.write(b"two\xff\n")
        await log.until(b"two\xff\n")
        pod.write(b"last\n")
        pod.end()
        await world.succeed(run)

        assert await log.whole() == b"one\n\ntwo\xff\nlast\n"


async def test_it_begins_when_the_container_does(world: World, api: Api, run: UUID) -> None:
    async with following(api, run) as log:
        pod = await running(api, run)
        pod.write(b"one\n")
        await log.until(b"one\n")
        pod.end()
        await world.succeed(run)

        assert await log.whole() == b"one\n"


async def test_a_connection_that_breaks_loses_nothing_and_repeats_nothing(world: World, api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.write(b"one\n", b"two\n")
    async with following(api, run) as log:
        await log.until(b"two\n")
        pod.break_off()
        pod.write(b"three\n")
        await log.until(b"three\n")
        pod.end()
        await world.succeed(run)

        assert await log.whole() == b"one\ntwo\nthree\n"
    assert pod.readings[:2] == [None, "2026-11-26T09:59:59Z"]


async def test_what_a_pod_that_is_gone_did_not_tell_comes_from_what_is_kept(world: World, api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.write(b"one\n")
    async with following(api, run) as log:
        await log.until(b"one\n")
        del api.server.pods["work-1"]
        pod.break_off()
        await world.succeed(run)
        await keep(api, run, b"one\ntwo\n")

        assert await log.whole() == b"one\ntwo\n"


async def test_what_is_kept_of_a_longer_log_comes_whole_and_says_so(world: World, api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.write(b"one\n")
    async with following(api, run) as log:
        await log.until(b"one\n")
        del api.server.pods["work-1"]
        pod.break_off()
        await world.succeed(run)
        await keep(api, run, b"one\n[cut]\n", truncated=True)

        assert await log.whole() == b"one\n" + log_feed.FROM_THE_BEGINNING + b"one\n[cut]\n"


async def test_a_pod_that_says_nothing_more_holds_nobody_up(world: World, api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.write(b"one\n")
    async with following(api, run) as log:
        await log.until(b"one\n")
        await world.succeed(run)
        await keep(api, run, b"one\n")

        assert await log.whole() == b"one\n"


async def test_the_next_attempt_is_not_taken_for_the_one_that_is_followed(world: World, api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.write(b"first\n")
    async with following(api, run) as log:
        await log.until(b"first\n")
        pod.end()
        await world.fail(run)

        assert await log.whole() == b"first\n"


async def test_where_the_gateway_may_not_read_pods_the_log_comes_when_it_is_kept(
    world: World, api: Api, run: UUID
) -> None:
    pod = await running(api, run)
    pod.refusal = ApiError.of(403, {"reason": "Forbidden"}, None)
    async with following(api, run) as log:
        await tried(pod)
        await world.succeed(run)
        await keep(api, run, b"done\n")

        assert await log.whole() == b"done\n"
    assert len(pod.readings) == 1


async def test_what_is_said_of_a_container_is_not_taken_for_its_log(world: World, api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.refusal = ApiError.of(400, {"reason": "BadRequest", "message": "container is waiting to start"}, None)
    async with following(api, run) as log:
        await tried(pod)
        pod.refusal = None
        pod.write(b"one\n")
        await log.until(b"one\n")
        pod.end()
        await world.succeed(run)

        assert await log.whole() == b"one\n"


async def test_a_reader_who_leaves_leaves_nothing_behind(api: Api, run: UUID) -> None:
    pod = await running(api, run)
    pod.write(b"one\n")
    async with following(api, run) as log:
        await log.until(b"one\n")

    async def left() -> bool:
        return api.registry.get_sample_value("headgate_gateway_streams") == 0

    await eventually(left, within=10, every=0.02, what="the place to be free")

    assert not [task for task in asyncio.all_tasks() if task.get_name() == "live log"]


async def claimed(world: World, run: UUID, holder: str) -> RunnerTask:
    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", run, holder, LEASE)
    assert task is not None
    return task


@pytest.fixture
async def script(world: World) -> UUID:
    """A run of two script nodes side by side."""
    shell = {"script": {"language": "shell", "source": "true"}}
    await world.given(a_workflow().with_node("other", shell).with_node("work", shell))
    return await world.admit()


async def test_of_a_runner_that_executes_several_attempts_each_is_followed_alone(
    world: World, api: Api, script: UUID
) -> None:
    for _ in range(2):
        await claimed(world, script, "runner-1/uid")
    api.server.pods["runner-1"] = pod = Pod()
    frames = FrameWriter(lambda line: pod.write(line.encode() + b"\n"))
    for node in ("other", "work"):
        frames.begun(script, node, 1)
        frames.printed(script, node, 1, "stdout", f"{node} prints\n")
    async with following(api, script) as log:
        await log.until(b"work prints\n")
        frames.printed(script, "other", 1, "stdout", "more\n")
        frames.printed(script, "work", 1, "stderr", "done\n")
        frames.ended(script, "work", 1)

        # The runner goes on, and nothing is kept yet.
        assert await log.whole() == b"work prints\ndone\n"
    assert pod.readings == ["2026-03-10T11:59:00Z"]


async def test_an_attempt_that_another_runner_begins_anew_says_so(world: World, api: Api, script: UUID) -> None:
    for _ in range(2):
        await claimed(world, script, "runner-1/uid")
    api.server.pods["runner-1"] = lost = Pod()
    FrameWriter(lambda line: lost.write(line.encode() + b"\n")).printed(script, "work", 1, "stdout", "one\n")
    api.server.pods["runner-2"] = pod = Pod()
    frames = FrameWriter(lambda line: pod.write(line.encode() + b"\n"))
    async with following(api, script) as log:
        await log.until(b"one\n")
        world.clock.advance(seconds=30)
        while (task := await claimed(world, script, "runner-2/uid")).ref.node != "work":
            pass
        del api.server.pods["runner-1"]
        lost.break_off()
        frames.printed(script, "work", 1, "stdout", "anew\n")
        await log.until(b"anew\n")
        frames.ended(script, "work", 1)
        await world.engine.runner_tasks.complete(task.ref, "acme", Outcome(succeeded=True), "runner-2/uid", LEASE)

        assert await log.whole() == b"one\n" + log_feed.ANEW + b"anew\n"
