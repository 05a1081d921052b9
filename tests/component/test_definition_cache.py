"""Definitions that are kept in Redis, and in the gateway while it hears of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio.client import PubSub

from headgate.dependencies import DependencyGuard
from headgate.domain.dependency_breaker import DependencyName
from headgate.engine.definitions.changes import DefinitionChanges
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.engine import Engine
from headgate.store.definition_cache import DefinitionCache
from headgate.store.redis import Dependency, RedisAway
from tests.component.api_client import Ticking
from tests.component.world import World, one_node
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually


@dataclass
class Parts:
    """An operator, which changes definitions, and two gateways, of which one hears of changes."""

    operator: Engine
    quiet: Engine
    hearing: Engine
    reads: list[DefinitionReads]
    ticking: Ticking

    async def given(self, world: World, priority: int, name: str = "nightly") -> int:
        """Record a version of the workflow; its number."""
        model = one_node(name).model()
        spec = model.spec.model_copy(update={"priority": priority})
        return (await self.operator.workflows.record(world.ids["acme"], "acme", name, spec)).number


@pytest.fixture
async def parts(world: World, redis: RedisServer) -> AsyncIterator[Parts]:
    async with AsyncExitStack() as stack:
        ticking = Ticking()
        # On a busy machine Redis may take longer than what the gateway waits for it.
        stack.enter_context(pytest.MonkeyPatch.context()).setattr("headgate.store.redis._SECONDS", 30.0)

        def cache() -> DefinitionCache:
            dependency = Dependency(redis.url, DependencyGuard(DependencyName.REDIS, monotonic=ticking))
            stack.push_async_callback(dependency.close)
            return DefinitionCache(dependency)

        reads = [DefinitionReads(cache(), monotonic=ticking) for _ in range(2)]
        quiet, hearing = (Engine(world.database, world.expressions, clock=world.clock, reads=item) for item in reads)
        changes = DefinitionChanges(cache())
        operator = Engine(world.database, world.expressions, clock=world.clock, changes=changes)
        made = Parts(operator, quiet, hearing, reads, ticking)
        await made.given(world, 1)
        listening = asyncio.create_task(reads[1].listen())
        await eventually(lambda: _true(reads[1].hears), every=0.01)
        yield made
        listening.cancel()
        with suppress(asyncio.CancelledError, RedisAway):
            await listening


async def _true(value: bool) -> bool:
    return value


async def number(engine: Engine, world: World) -> int:
    """The current version, as it is told to whoever looks."""
    found = await engine.versions.workflow(world.ids["acme"], "acme", "nightly")
    assert found is not None
    return found.version


async def test_what_was_read_once_is_not_read_in_postgres_again(world: World, parts: Parts) -> None:
    for engine in (parts.quiet, parts.hearing):
        for _ in range(10):
            assert await number(engine, world) == 1
    assert sum(item.asked for item in parts.reads) == 1


async def test_all_that_is_told_is_the_same_from_the_cache(world: World, parts: Parts) -> None:
    acme = world.ids["acme"]
    for _ in range(2):
        for engine in (parts.quiet, parts.hearing):
            kept, live = engine.versions, world.engine.versions
            assert await kept.workflows(acme, ("", ""), 5) == await live.workflows(acme, ("", ""), 5)
            assert await kept.workflow(acme, "acme", "nightly") == await live.workflow(acme, "acme", "nightly")
            assert await kept.list(acme, "acme", "nightly") == await live.list(acme, "acme", "nightly")
            assert await kept.content(acme, "acme", "nightly", 1) == await live.content(acme, "acme", "nightly", 1)


async def test_a_change_is_seen_at_once_by_who_asks_redis(world: World, parts: Parts) -> None:
    for version in range(2, 5):
        await number(parts.quiet, world)
        await parts.given(world, version)
        assert await number(parts.quiet, world) == version


async def test_a_change_is_told_to_who_remembers_it_itself(world: World, parts: Parts) -> None:
    assert await number(parts.hearing, world) == 1
    await parts.given(world, 2)

    async def changed() -> bool:
        return await number(parts.hearing, world) == 2

    await eventually(changed, every=0.01)


async def test_who_hears_of_changes_goes_on_hearing_of_them_while_there_are_none(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await number(parts.hearing, world) == 1
    pings: list[None] = []
    ping = PubSub.ping

    def counting(listening: PubSub, message: str | None = None) -> Any:
        pings.append(None)
        return ping(listening, message)

    monkeypatch.setattr(PubSub, "ping", counting)
    await eventually(lambda: _true(len(pings) >= 2), every=0.05)
    assert parts.reads[1].hears
    asked = parts.reads[1].asked
    assert await number(parts.hearing, world) == 1
    assert parts.reads[1].asked == asked


async def test_a_workflow_that_is_gone_is_forgotten(world: World, parts: Parts) -> None:
    await number(parts.quiet, world)
    await parts.operator.workflows.retire(world.ids["acme"], "acme", "nightly")
    assert await parts.quiet.versions.workflow(world.ids["acme"], "acme", "nightly") is None


async def test_what_was_read_before_a_change_and_kept_after_it_is_not_found(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = parts.reads[0]
    keep = reads._cache.put

    async def late(*arguments: object) -> None:
        await parts.given(world, 2)
        await keep(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reads._cache, "put", late)
    assert await number(parts.quiet, world) == 1
    monkeypatch.undo()
    assert await number(parts.quiet, world) == 2


async def test_without_redis_all_is_read_in_postgres(world: World, parts: Parts, redis: RedisServer) -> None:
    assert [await number(engine, world) for engine in (parts.quiet, parts.hearing)] == [1, 1]
    redis.kill()
    await eventually(lambda: _true(not parts.reads[1].hears), every=0.01)
    await parts.given(world, 2)
    assert [await number(engine, world) for engine in (parts.quiet, parts.hearing)] == [2, 2]


async def test_a_copy_that_was_saved_before_a_change_is_worth_nothing(
    world: World, parts: Parts, redis: RedisServer
) -> None:
    assert await number(parts.quiet, world) == 1
    with redis.client() as client:
        client.save()
    redis.kill()
    await parts.given(world, 2)
    redis.start()
    parts.ticking.seconds += 5
    assert await number(parts.quiet, world) == 2


async def test_a_change_of_which_nobody_was_told_is_told_by_the_next_operator(
    world: World, parts: Parts, redis: RedisServer
) -> None:
    assert await number(parts.quiet, world) == 1
    await world.given(one_node("nightly", retry={"limit": 2}))
    assert await number(parts.quiet, world) == 1
    dependency = Dependency(redis.url, DependencyGuard(DependencyName.REDIS, monotonic=parts.ticking))
    await DefinitionChanges(DefinitionCache(dependency)).tell()
    await dependency.close()
    assert await number(parts.quiet, world) == 2


async def test_a_run_starts_with_what_is_current_whatever_is_kept(world: World, parts: Parts) -> None:
    assert await number(parts.quiet, world) == 1
    await world.given(one_node("nightly", retry={"limit": 2}))
    run = await world.admit()
    assert (await world.view(run)).version == 2
