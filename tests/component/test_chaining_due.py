"""When a look for endings and calls is due: what transactions tell of it, over the whole of a run."""

from __future__ import annotations

import pytest

from headgate.api.debugging import RunMode
from headgate.engine.types import Admitted, Effects
from tests.builders import a_workflow
from tests.component.callers import called
from tests.component.listeners import after, endings
from tests.component.world import World, calling, chain, one_node


async def begun(world: World, workflow: str = "nightly", mode: RunMode = RunMode.NORMAL) -> Effects:
    """What follows from the start of a run."""
    answer, effects = await world.engine.admit(world.request(workflow, mode=mode))
    assert isinstance(answer, Admitted)
    return effects


def looks(*effects: Effects) -> int:
    """How often one is due."""
    return sum(each.to_chain for each in effects)


async def through(world: World, nodes: int = 1, mode: RunMode = RunMode.NORMAL) -> list[Effects]:
    """A run that succeeds node by node, and what each of its transactions told."""
    workflow = a_workflow().with_node("n0")
    for number in range(1, nodes):
        workflow = workflow.with_node(f"n{number}", after=[f"n{number - 1}"])
    await world.given(workflow)
    told = [await begun(world, mode=mode)]
    for _ in range(nodes):
        [task] = await world.claim()
        told.append(await world.engine.record_jobs([(task.ref, "uid")]))
        told.append(await world.engine.mark_running(task.ref, world.clock.now))
        told.append(await world.succeed(task.ref.run_id, task.ref.node))
    return told


async def test_a_run_that_nobody_waits_for_and_that_calls_none_takes_no_look(world: World) -> None:
    assert looks(*await through(world)) == 0
    assert looks(*await through(world, nodes=3)) == 0
    assert looks(*await through(world, mode=RunMode.TEST)) == 0
    assert await endings(world) == []


async def test_one_whose_end_sets_off_another_takes_one(world: World) -> None:
    await world.given(after("nightly"))
    told = await through(world, nodes=2)

    assert [each.to_chain for each in told] == [False] * 6 + [True]
    assert len(await endings(world)) == 1


async def test_those_who_listen_to_other_ends_and_in_other_workspaces_make_none_due(world: World) -> None:
    await world.given_workspace("another")
    await world.given(after("nightly"), "another")
    await world.given(after("other"))
    await world.given(after("nightly", "failures", phases=["Failed"]))

    assert looks(*await through(world)) == 0


async def test_one_that_fails_takes_one(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()

    assert looks(await world.fail(run)) == 0, "it is tried again"
    assert looks(await world.fail(run, attempt=2)) == 1


@pytest.mark.parametrize("mode", [RunMode.NORMAL, RunMode.TEST])
async def test_a_call_takes_one_to_be_made_and_one_when_it_has_ended(world: World, mode: RunMode) -> None:
    await world.given(one_node())
    await world.given(calling())

    assert looks(await begun(world, "caller", mode)) == 1
    assert looks(await world.succeed(await called(world))) == 1

    assert looks((await chain(world)).effects) == 0, "the run that called has succeeded, and nobody waits for it"
    assert await endings(world) == []
