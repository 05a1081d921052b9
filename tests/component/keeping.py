"""All that may happen to what a workspace keeps, as short stories."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from headgate.api.debugging import Debug, RunMode
from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import GoingOn
from headgate.domain.step_log import log_path
from headgate.domain.sync import Reached
from headgate.engine.types import Outcome
from headgate.objects.object_store import ObjectStore
from tests.builders import WorkflowBuilder, a_workflow, container
from tests.component.kept import assert_exact
from tests.component.leaving import hold, leave, scripted
from tests.component.test_sync_cursors import held
from tests.component.world import World, calling, chain, one_node

ODD = {"é": [1e300, -0.0, 1.5e-7, 3, "a\tb\x7f\\", None, {}, []], "f": 1e16}
"""What Postgres writes otherwise than Python."""
LIST = ["a", "b", "c"]
GIVEN = {"text": "x" * 50}


def given_values(world: World) -> None:
    """The expressions of these tests by their values."""
    world.expressions.values |= {
        "true": True,
        "odd": ODD,
        "all": LIST,
        "item": lambda known: known["item"],
        "nodes.work.output": lambda known: known["nodes"]["work"]["output"],
        "inputs.text": lambda known: known["inputs"]["text"],
    }


def of_all_kinds(name: str = "nightly") -> WorkflowBuilder:
    """A workflow whose runs keep something of every kind that a run can keep."""
    return (
        a_workflow(name)
        .with_input("text")
        .with_condition("yes", "true", after=["by-hand"])
        .with_node("sum", after=["yes"], config={"transform": {"expression": "odd"}})
        .with_node("each", after=["sum"], forEach={"items": "all"}, config=container(args=["${{ item }}"]))
        .with_node("work", after=["each"], retry={"limit": 1, "initialDelay": "0s"})
        .with_output("all", "nodes.work.output")
    )


async def whole(world: World, **members: Any) -> UUID:
    """A run that succeeds."""
    run = await world.admit(inputs=GIVEN, **members)
    for index in range(len(LIST)):
        await world.succeed(run, f"each.{index}", output=ODD)
    await world.succeed(run, output={"rows": 7})
    assert await world.phase(run) is RunPhase.SUCCEEDED
    return run


async def let_run(world: World, runs: int) -> None:
    """Have so many runs under way at most; the pot stays as it is."""
    [plan] = await world.rows("SELECT pot FROM headgate.workspace_resource_quotas")
    await world.given_workspace(pot=plan["pot"], max_concurrent_runs=runs)


async def everything(world: World) -> None:
    await whole(world)


async def waiting(world: World) -> None:
    await let_run(world, 0)
    await world.admit(inputs=GIVEN)
    assert await assert_exact(world) == {}
    await let_run(world, 50)
    await world.engine.start_all_pending()


async def waiting_and_cancelled(world: World) -> None:
    await let_run(world, 0)
    run = await world.admit(inputs=GIVEN)
    await world.engine.control.cancel(world.ids["acme"], run, "enough")


async def waiting_cancelled_and_retried(world: World) -> None:
    await let_run(world, 0)
    run = await world.admit(inputs=GIVEN)
    await world.engine.control.cancel(world.ids["acme"], run, "enough")
    await world.engine.control.retry(world.ids["acme"], run, 1)
    await assert_exact(world)
    await let_run(world, 50)
    await world.engine.start_all_pending()
    await world.succeed(run, "each.0", output=ODD)


async def held_while_waiting(world: World) -> None:
    await let_run(world, 0)
    run = await world.admit(inputs=GIVEN)
    await world.engine.control.suspend(world.ids["acme"], run, "not now")
    await let_run(world, 50)
    await world.engine.control.resume(world.ids["acme"], run)


async def failed_and_retried(world: World) -> None:
    run = await world.admit(inputs=GIVEN)
    for index in range(len(LIST)):
        await world.succeed(run, f"each.{index}", output=ODD)
    for attempt in (1, 2):
        lost = Outcome(False, {"half": ODD}, reason="ExitCode", message="3", exit_code=3)
        await world.engine.complete(world.ref(run, "work", attempt), lost)
    assert await world.phase(run) is RunPhase.FAILED
    await assert_exact(world)
    await world.engine.control.retry(world.ids["acme"], run, 1)
    await world.succeed(run, "work", {"rows": 8}, attempt=3)
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def in_a_list_and_cancelled(world: World) -> None:
    run = await world.admit(inputs=GIVEN)
    await world.succeed(run, "each.0", output=ODD)
    await world.engine.control.cancel(world.ids["acme"], run, "enough")


async def in_a_list_and_stopped(world: World) -> None:
    run = await world.admit(inputs=GIVEN)
    await world.succeed(run, "each.0", output=ODD)
    await world.claim()
    await world.engine.control.stop(world.ids["acme"], run, "enough")


async def in_a_list_and_overdue(world: World) -> None:
    await world.given(of_all_kinds().with_spec(timeout="1m"))
    await world.admit(inputs=GIVEN)
    await world.engine.control.expire_runs(world.clock.advance(minutes=2))


async def a_list_with_failures(world: World) -> None:
    run = await world.admit(inputs=GIVEN)
    await world.fail(run, "each.0")
    for index in (1, 2):
        await world.succeed(run, f"each.{index}", output=ODD)
    await world.engine.control.retry(world.ids["acme"], run, 1)
    await world.succeed(run, "each.0", ODD, attempt=2)


async def held_and_resumed(world: World) -> None:
    await world.given(
        one_node()
        .with_node("sum", after=["work"], config={"transform": {"expression": "odd"}})
        .with_output("all", "nodes.work.output")
    )
    run = await world.admit()
    await world.engine.control.suspend(world.ids["acme"], run, "not now")
    await world.succeed(run, output={"rows": 7})
    await world.engine.control.resume(world.ids["acme"], run)
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def replayed(world: World) -> None:
    run = await whole(world)
    await world.admit(replay_of=run)


async def tried_with_pins_and_mocks(world: World) -> None:
    run = await whole(world)
    wishes = {"pinsFrom": str(run), "startFrom": "work", "mocks": [{"node": "work", "output": ODD}]}
    await world.admit(mode=RunMode.TEST, debug=Debug.model_validate(wishes), inputs=GIVEN)


async def stopped_at_a_breakpoint(world: World) -> None:
    wishes = Debug.model_validate({"breakpoints": [{"node": "each"}, {"node": "work"}]})
    run = await world.admit(mode=RunMode.DEBUG, debug=wishes, inputs=GIVEN)
    await assert_exact(world)
    await world.engine.control.pass_breakpoint(world.ids["acme"], run, GoingOn(1))
    for index in range(len(LIST)):
        await world.succeed(run, f"each.{index}", output=ODD)
    await assert_exact(world)
    await world.engine.control.pass_breakpoint(world.ids["acme"], run, GoingOn(2))


async def called(world: World) -> None:
    await world.given(one_node("called").with_input("text").with_output("all", "nodes.work.output"))
    await world.given(calling("called", inputs={"text": "${{ inputs.text }}"}).with_input("text"))
    await world.admit("caller", inputs=GIVEN)
    await chain(world)
    [child] = await world.rows("SELECT id FROM headgate.workflow_executions WHERE parent_run IS NOT NULL")
    await world.succeed(child["id"], output=ODD)
    await chain(world)


async def set_off_by_an_event(world: World) -> None:
    listening = a_workflow("after").with_trigger("ended", {"event": {"workflow": "nightly", "phases": ["Succeeded"]}})
    await world.given(listening.with_node("work", after=["ended"]))
    await whole(world)
    await chain(world)
    assert len(await world.rows("SELECT FROM headgate.workflow_executions WHERE event IS NOT NULL")) == 1


async def remembered(world: World) -> None:
    given_key = {"key": "${{ inputs.text }}", "maxAge": "1h"}
    await world.given(one_node(memoize=given_key).with_input("text"))
    for text in ("monday", "tuesday"):
        await world.succeed(await world.admit(inputs={"text": text}), output=ODD)
    await world.admit(inputs={"text": "monday"})
    await assert_exact(world)
    world.clock.advance(hours=2)
    await world.succeed(await world.admit(inputs={"text": "monday"}), output={"rows": 7})
    assert len(await world.rows("SELECT FROM headgate.node_memos")) == 1


async def remembered_by_two_at_once(world: World) -> None:
    await world.given(one_node(memoize={"key": "same"}))
    runs = [await world.admit() for _ in range(8)]
    await asyncio.gather(*(world.succeed(run, output={"rows": number}) for number, run in enumerate(runs)))
    assert len(await world.rows("SELECT FROM headgate.node_memos")) == 1


async def copied(world: World) -> None:
    ref = await held(world)
    await world.engine.cursors.take(ref, "pod-1")
    await world.engine.cursors.move(ref, "pod-1", Reached("[3]", "[70000]"), 0)
    await assert_exact(world)
    await world.engine.cursors.move(ref, "pod-1", Reached("[70000]"), 4)


async def with_logs(world: World) -> None:
    ref = world.ref(await whole(world), "work")
    for length in (500, 120, 0, 70):
        path = log_path(ref) if length else None
        await world.engine.logs.record(ref, path, length, truncated=False, again=True)
        await assert_exact(world)
    await world.engine.logs.record(ref, log_path(ref), 10**10, truncated=False, again=True)


async def with_artifacts(world: World) -> None:
    objects = ObjectStore("memory://")
    await world.given(scripted(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()
    await hold(world, run)
    for content in (b"x" * 500, b"x" * 70, b""):
        await leave(world, objects, run, "a", content)
        await assert_exact(world)
    await leave(world, objects, run, "b", b"x" * 30)
    await world.fail(run)
    await hold(world, run)
    await leave(world, objects, run, "b", b"x" * 9, attempt=2)
    await assert_exact(world)
    gone = await world.engine.left_files.announce(world.ref(run, "work", 2), "runner-1", [10**10])
    assert (len(gone.gone), gone.reason) == (1, "StorageLimit")
    await world.succeed(run, attempt=2, output=ODD)


CASES: list[Callable[[World], Awaitable[None]]] = [
    everything,
    waiting,
    waiting_and_cancelled,
    waiting_cancelled_and_retried,
    held_while_waiting,
    failed_and_retried,
    in_a_list_and_cancelled,
    in_a_list_and_stopped,
    in_a_list_and_overdue,
    a_list_with_failures,
    held_and_resumed,
    replayed,
    tried_with_pins_and_mocks,
    stopped_at_a_breakpoint,
    called,
    set_off_by_an_event,
    remembered,
    remembered_by_two_at_once,
    copied,
    with_logs,
    with_artifacts,
]
