"""Nodes of Test and Debug runs that are pinned to what they gave in earlier runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from headgate.api.debugging import Debug, RunMode
from headgate.api.workflow_run import NodePhase, RunPhase
from tests.builders import a_workflow
from tests.component.tried import chain, given_outputs, tried
from tests.component.world import World, one_node


async def ended(world: World, **outputs: Any) -> UUID:
    """A Normal run of the chain that gave these outputs."""
    given_outputs(world)
    run = await world.admit()
    for node in ("a", "b", "c"):
        await world.succeed(run, node, output=outputs.get(node))
    await world.claim()
    return run


async def refused_message(world: World, **debug: Any) -> str:
    refused = await world.refused(mode=RunMode.TEST, debug=Debug.model_validate(debug))
    assert refused.reason == "InvalidDebug"
    return refused.message


class TestPins:
    async def test_a_pinned_node_does_not_run_when_its_turn_comes_and_gives_what_it_gave(self, world: World) -> None:
        await world.given(chain())
        earlier = await ended(world, b="from earlier")

        run = await tried(world, pins=[{"node": "b", "run": str(earlier)}])

        [first] = await world.claim()
        assert (first.ref.run_id, first.ref.node) == (run, "a")
        assert (await world.phases(run))["b"] is NodePhase.PENDING
        await world.succeed(run, "a")
        [last] = await world.claim()
        assert (last.ref.node, last.container.args) == ("c", ("from earlier",))
        node = (await world.view(run)).nodes[1]
        assert (node.phase, node.reason, node.output) == (NodePhase.SUCCEEDED, "Pinned", "from earlier")

    async def test_each_node_has_its_own_run(self, world: World) -> None:
        await world.given(chain())
        one, other = await ended(world, a=1, b=2), await ended(world, a=3, b=4)

        run = await tried(world, pins=[{"node": "a", "run": str(one)}, {"node": "b", "run": str(other)}])

        assert [node.output for node in (await world.view(run)).nodes] == [1, 4, None]
        assert [task.ref.node for task in await world.claim()] == ["c"]

    async def test_one_goes_before_the_run_of_all_others(self, world: World) -> None:
        await world.given(chain())
        one, other = await ended(world, a=1, b=2), await ended(world, a=3, b=4)

        pins = [{"node": "b", "run": str(other)}]
        run = await tried(world, pins=pins, pinsFrom=str(one), startFrom="c")

        assert [node.output for node in (await world.view(run)).nodes] == [1, 4, None]

    async def test_what_comes_before_the_start_may_be_pinned_node_by_node(self, world: World) -> None:
        await world.given(chain())
        earlier = await ended(world, b="from earlier")

        await tried(world, pins=[{"node": "b", "run": str(earlier)}], mocks=[{"node": "a"}], startFrom="c")

        assert [task.ref.node for task in await world.claim()] == ["c"]

    async def test_the_last_node_may_be_pinned(self, world: World) -> None:
        await world.given(chain())
        earlier = await ended(world, c="done")

        run = await tried(world, pins=[{"node": node, "run": str(earlier)} for node in ("a", "b", "c")])

        view = await world.view(run)
        assert (view.phase, view.nodes[2].output) == (RunPhase.SUCCEEDED, "done")
        assert await world.claim() == []

    async def test_a_pinned_condition_takes_the_branch_that_it_took(self, world: World) -> None:
        world.expressions.values["inputs.n > 1"] = False
        await world.given(
            a_workflow()
            .with_condition("check", "inputs.n > 1", after=["by-hand"])
            .with_node("yes", after=["check"])
            .with_node("no", after=["check:false"])
        )
        earlier = await world.admit()
        world.expressions.values["inputs.n > 1"] = True

        run = await tried(world, pins=[{"node": "check", "run": str(earlier)}])

        assert await world.phases(run) == {
            "check": NodePhase.SUCCEEDED,
            "yes": NodePhase.SKIPPED,
            "no": NodePhase.QUEUED,
        }

    async def test_a_node_that_reaches_others_may_be_pinned_instead_of_mocked(self, world: World) -> None:
        await world.given(a_workflow().with_node("ask", {"http": {"url": "https://example.com"}}))
        earlier = await world.admit()
        await world.succeed(earlier, "ask", output={"status": 200})

        run = await tried(world, pins=[{"node": "ask", "run": str(earlier)}])

        assert await world.phase(run) is RunPhase.SUCCEEDED

    async def test_a_list_s_node_gives_the_outputs_of_all_items(self, world: World) -> None:
        world.expressions.values |= {"inputs.items": [1, 2]}
        await world.given(a_workflow().with_input("items").with_node("each", forEach={"items": "inputs.items"}))
        earlier = await world.admit()
        for index in range(2):
            await world.succeed(earlier, f"each.{index}", output=index)

        run = await tried(world, pins=[{"node": "each", "run": str(earlier)}])

        [node] = (await world.view(run)).nodes
        assert (node.phase, node.output) == (NodePhase.SUCCEEDED, [0, 1])

    async def test_after_retries_it_is_the_attempt_that_succeeded(self, world: World) -> None:
        await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
        earlier = await world.admit()
        await world.fail(earlier)
        await world.succeed(earlier, attempt=2, output="at last")

        run = await tried(world, pins=[{"node": "work", "run": str(earlier)}])

        assert (await world.view(run)).nodes[0].output == "at last"

    async def test_a_run_in_which_it_did_not_succeed_is_refused_with_what_to_do(self, world: World) -> None:
        await world.given(chain())
        earlier = await world.admit()
        await world.fail(earlier, "a")

        told = await refused_message(world, pins=[{"node": "a", "run": str(earlier)}])

        assert told == (
            f"node 'a' did not succeed in run {earlier}: pin it to a run in which it did, or give it a mock"
        )

    async def test_so_is_one_that_the_workflow_has_not(self, world: World) -> None:
        await world.given(chain())
        await world.given(one_node("other"))
        foreign = await world.admit("other")
        await world.succeed(foreign)
        for run in (str(foreign), "x", str(UUID(int=7)), "01890a5d-ac96-774b-bcce-b302099a8057"):
            told = await refused_message(world, pins=[{"node": "a", "run": run}])
            assert (
                told == f"the workflow has no run {run} to pin node 'a' to: name one that is kept by its status.runId"
            )

    async def test_another_workspace_s_run_is_none(self, world: World) -> None:
        await world.given_workspace("globex")
        await world.given(one_node(), "globex")
        await world.given(one_node())
        foreign = await world.admit(workspace="globex")
        await world.succeed(foreign, output="secret", workspace="globex")

        told = await refused_message(world, pins=[{"node": "work", "run": str(foreign)}])

        assert told.startswith(f"the workflow has no run {foreign}")

    async def test_a_node_is_pinned_or_mocked_and_not_both(self, world: World) -> None:
        await world.given(chain())
        earlier = await ended(world)

        told = await refused_message(world, pins=[{"node": "a", "run": str(earlier)}], mocks=[{"node": "a"}])

        assert told == "give node 'a' either a mock or a pin: both say what it gives"

    async def test_a_run_that_went_while_the_node_waited_is_told(self, world: World) -> None:
        await world.given(chain())
        earlier = await ended(world, b=1)
        run = await tried(world, pins=[{"node": "b", "run": str(earlier)}])
        await world.rows(
            "WITH steps AS (DELETE FROM headgate.workflow_execution_steps WHERE execution_id = %s) "
            "DELETE FROM headgate.workflow_executions WHERE id = %s RETURNING id",
            earlier,
            earlier,
        )

        await world.succeed(run, "a")

        node = (await world.view(run)).nodes[1]
        assert (node.phase, node.reason) == (NodePhase.FAILED, "PinGone")
        assert str(earlier) in node.message
