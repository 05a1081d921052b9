"""Going on by steps, as a spec asks for it: by numbers, each of which counts once, whoever sees it how often."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from uuid import UUID

from headgate.api.debugging import RunMode
from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import GoingOn
from headgate.engine.engine import Engine
from headgate.reconcile.steering import by_resource, steer
from tests.builders import a_run, a_workflow
from tests.component.tried import tried
from tests.component.world import World

NODES = ("a", "b", "c", "d")


async def standing(world: World, at: str = "Before") -> UUID:
    """A Debug run before, or after, the first of four mocked nodes in a row; another breakpoint is before the last."""
    workflow = a_workflow().with_node("a")
    for before, node in pairwise(NODES):
        workflow = workflow.with_node(node, after=[before])
    await world.given(workflow)
    mocks = [{"node": node} for node in NODES]
    return await tried(world, RunMode.DEBUG, mocks=mocks, breakpoints=[{"node": "a", "at": at}, {"node": "d"}])


async def asked(world: World, run: UUID, engine: Engine | None = None, **spec: int) -> str | None:
    """Have a replica look at a WorkflowRun with that spec. The node before which the run stands then."""
    workspace, engine = world.ids["acme"], engine or world.engine
    view = await engine.run_view(workspace, run)
    assert view is not None
    wanted = a_run().with_spec(mode="Debug", **spec).model().spec
    await steer(engine.control, workspace, wanted, view, by_resource("acme", "nightly-1"))
    return await stands(world, run)


async def stands(world: World, run: UUID) -> str | None:
    at = (await world.view(run)).breakpoint
    return at.node if at is not None else None


async def test_each_higher_number_is_one_step(world: World) -> None:
    run = await standing(world)

    assert await asked(world, run, step=1) == "b"
    assert await asked(world, run, step=4) == "c"
    assert await asked(world, run, step=5) == "d"
    assert await asked(world, run, step=6) is None
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_a_step_from_behind_a_node_starts_what_was_ready_there(world: World) -> None:
    run = await standing(world, at="After")

    assert await asked(world, run, step=1) == "c"


async def test_a_wish_is_done_once_however_often_it_is_seen_and_by_whom(world: World) -> None:
    run = await standing(world)

    for _ in range(3):
        assert await asked(world, run, step=1) == "b"
        assert await asked(world, run, engine=world.another_engine(), step=1) == "b"


async def test_replicas_that_see_it_at_once_take_one_step(world: World) -> None:
    run = await standing(world)
    replicas = [world.another_engine() for _ in range(4)]

    await asyncio.gather(
        *(engine.control.pass_breakpoint(world.ids["acme"], run, GoingOn(0, 1)) for engine in replicas)
    )

    assert await stands(world, run) == "b"


async def test_going_on_ends_stepping_and_a_later_step_begins_it_anew(world: World) -> None:
    run = await standing(world)
    assert await asked(world, run, step=1) == "b"

    assert await asked(world, run, step=1, resume=1) == "d"
    assert await asked(world, run, step=2, resume=1) is None


async def test_raised_together_the_step_is_taken_where_it_stands_next(world: World) -> None:
    run = await standing(world)

    assert await asked(world, run, step=1, resume=1) == "d"
    assert await asked(world, run, step=1, resume=1) is None


async def test_one_that_has_not_seen_the_last_wish_changes_nothing(world: World) -> None:
    run = await standing(world)
    await world.engine.control.pass_breakpoint(world.ids["acme"], run, GoingOn(0, 1))

    await world.engine.control.pass_breakpoint(world.ids["acme"], run, GoingOn(1, 0))

    assert await stands(world, run) == "b"


async def test_the_audit_log_tells_a_step_from_going_on(world: World) -> None:
    run = await standing(world)
    await asked(world, run, step=1)
    await asked(world, run, step=1, resume=1)

    rows = await world.rows("SELECT detail FROM headgate.audit_log WHERE action = 'run.resume' ORDER BY sequence")
    assert [row["detail"].get("step") for row in rows] == [True, None]
