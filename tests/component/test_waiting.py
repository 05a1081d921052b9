"""A run says what it waits for, whatever that is, and when it may go on."""

from __future__ import annotations

from datetime import timedelta

from headgate.api.circuit_breaker import CircuitBreaker
from headgate.engine.types import RunFilter, Waiting
from tests.builders import a_workflow
from tests.component.world import World, one_node


async def waits(world: World, run: object) -> Waiting:
    [waiting] = (await world.view(run)).waiting  # type: ignore[arg-type]
    return waiting


async def test_for_the_next_day(world: World) -> None:
    await world.given_workspace(max_executions_per_day=1)
    await world.given(one_node())
    await world.admit()

    waiting = await waits(world, await world.admit())

    assert (waiting.reason, str(waiting.until)) == ("DailyLimit", "2026-03-11 00:00:00+00:00")
    assert "maxExecutionsPerDay" in waiting.message


async def test_for_room_in_the_workspace(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    await world.admit()

    waiting = await waits(world, await world.admit())

    assert waiting.reason == "ConcurrencyLimit"
    assert "maxConcurrentRuns" in waiting.message


async def test_for_the_circuit_breaker_to_let_it_try(world: World) -> None:
    await world.given_workspace(breaker=CircuitBreaker(failure_threshold=1, cool_down="10m"))
    await world.given(one_node())
    await world.fail(await world.admit())
    opened = world.clock.now

    waiting = await waits(world, await world.admit())

    assert (waiting.reason, waiting.until) == ("CircuitOpen", opened + timedelta(minutes=10))


async def test_for_its_retry(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "40s"}))
    run = await world.admit()
    await world.fail(run)

    waiting = await waits(world, run)

    assert (waiting.reason, waiting.node) == ("Retry", "work")
    assert waiting.until == world.clock.now + timedelta(seconds=40)
    assert "attempt 1 failed (ExitCode)" in waiting.message


async def test_for_no_retry_any_more_once_the_job_is_made(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "40s"}))
    run = await world.admit()
    await world.fail(run)
    world.clock.advance(seconds=40)
    [task] = await world.claim()

    effects = await world.engine.record_jobs([(task.ref, "uid")])

    assert effects.runs == {run}
    assert (await world.view(run)).waiting == ()


async def test_for_a_person(world: World) -> None:
    approval = {"approval": {"message": "ship it?"}}
    await world.given(a_workflow().with_node("ask", approval, timeout="1h"))

    waiting = await waits(world, await world.admit())

    assert (waiting.reason, waiting.node) == ("Approval", "ask")
    assert waiting.until == world.clock.now + timedelta(hours=1)
    assert "ship it?" in waiting.message


async def test_for_a_run_that_it_called_and_for_what_that_one_waits(world: World) -> None:
    await world.given(a_workflow("outer").with_node("call", {"workflow": {"name": "inner"}}))
    await world.given(one_node("inner").with_spec(concurrency={"mutex": "deploy"}))
    outer = await world.admit("outer")
    assert (await waits(world, outer)).reason == "CalledRun"
    holder = await world.admit("inner")

    inner = await world.admit("inner", parent=world.ref(outer, "call"))

    assert (await waits(world, outer)).message == f"the end of run {inner} of workflow inner, which waits: Mutex"
    await world.succeed(holder)
    assert (await waits(world, outer)).message == f"the end of run {inner} of workflow inner"


async def test_for_a_runner(world: World) -> None:
    await world.given(a_workflow().with_node("ask", {"http": {"url": "https://example.com"}}))

    waiting = await waits(world, await world.admit())

    assert (waiting.reason, waiting.node) == ("Runner", "ask")


async def test_in_a_list_too(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    await world.admit()
    await world.admit()

    runs = (await world.engine.list_runs(world.ids["acme"], RunFilter())).runs

    assert [run.waiting for run in runs] == ["ConcurrencyLimit", None]
