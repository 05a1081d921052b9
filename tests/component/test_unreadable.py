"""Runs of versions that an earlier release accepted and this one cannot read: they end, and hold up nobody."""

from __future__ import annotations

from uuid import UUID

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.engine.engine import Engine
from headgate.engine.types import Admitted, Outcome
from tests.component.world import World, one_node


async def upgraded(world: World) -> Engine:
    """An engine of a release that cannot read what is recorded, and remembers nothing of it."""
    await world.rows(
        "UPDATE headgate.workflow_versions SET spec = jsonb_set(spec, '{nodes,1,type}', '\"task\"') RETURNING 1"
    )
    return world.another_engine()


async def test_the_end_of_an_attempt_fails_the_run_and_makes_room(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    run = await world.admit()
    engine = await upgraded(world)

    effects = await engine.complete(world.ref(run, "work"), Outcome(True))

    view = await engine.run_view(world.ids["acme"], run)
    assert view is not None
    assert (view.phase, view.workflow, view.version) == (RunPhase.FAILED, "nightly", 1)
    assert view.error_message is not None
    assert view.error_message.startswith("UnreadableVersion: version 1 of the workflow cannot be read by this release")
    assert [(node.id, node.phase) for node in view.nodes] == [("work", NodePhase.CANCELLED)]
    assert [told.run_id for told in effects.finished] == [run]
    assert (await world.usage())["running"] == 0


async def test_a_run_can_be_cancelled_and_expires(world: World) -> None:
    await world.given(one_node().with_spec(timeout="1h"))
    first, second = await world.admit(), await world.admit()
    engine = await upgraded(world)

    await engine.control.cancel(world.ids["acme"], first, "no")
    await engine.control.expire_runs(world.clock.advance(hours=1))

    assert [await ended(world, engine, run) for run in (first, second)] == [True, True]
    assert await engine.open_tasks() == ()


async def test_a_run_that_waits_does_not_hold_up_those_behind_it(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=0)
    await world.given(one_node())
    waiting = await world.admit()
    engine = await upgraded(world)
    await engine.workflows.record(world.ids["acme"], "acme", "nightly", one_node().with_node("more").model().spec)
    behind, _ = await engine.admit(world.request())
    assert isinstance(behind, Admitted)
    await world.given_workspace(max_concurrent_runs=1)

    await engine.start_all_pending()

    assert await ended(world, engine, waiting)
    view = await engine.run_view(world.ids["acme"], behind.run_id)
    assert view is not None
    assert view.phase is RunPhase.RUNNING


async def test_a_request_is_refused_with_what_to_do(world: World) -> None:
    await world.given(one_node())
    engine = await upgraded(world)

    answer, _ = await engine.admit(world.request())

    assert "apply the workflow again" in str(answer)


async def ended(world: World, engine: Engine, run: UUID) -> bool:
    view = await engine.run_view(world.ids["acme"], run)
    return view is not None and view.phase is RunPhase.FAILED
