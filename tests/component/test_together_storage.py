"""What is kept of those who share a transaction is counted, and bounded, as if each had come by itself."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.step_log import log_path
from headgate.engine.types import Admitted, Outcome
from headgate.store.records import size
from tests.builders import WorkflowBuilder, a_workflow, container
from tests.component.keeping import GIVEN, ODD, given_values
from tests.component.kept import assert_exact, assert_pot_exact
from tests.component.test_together import MANY, admitted, ended, runs, transactions
from tests.component.world import World, one_node

MEGABYTE = 10**6


@pytest.fixture
async def warm(world: World) -> World:
    """A megabyte, and a workflow whose runs give something, its definition read."""
    await world.given_workspace(max_storage_mb=1, max_concurrent_runs=1_000)
    given_values(world)
    await world.given(one_node().with_output("all", "nodes.work.output"))
    await world.succeed(await world.admit())
    return world


def starting_with_a_sum() -> WorkflowBuilder:
    """A workflow whose runs keep their inputs, and an output, as they start."""
    return (
        a_workflow("sums")
        .with_input("text", default="")
        .with_node("sum", config={"transform": {"expression": "odd"}})
        .with_node("work", after=["sum"])
    )


async def leave(world: World, left: int) -> None:
    """Have a log take all but that much."""
    ref = world.ref(await world.admit(), "work")
    await world.succeed(ref.run_id)
    length = MEGABYTE - (await world.usage())["storage_bytes"] - left
    assert await world.engine.logs.record(ref, log_path(ref), length, truncated=False)


class TestCounted:
    @pytest.mark.parametrize("pot", [None, "team"])
    async def test_outputs_of_nodes_and_of_runs(self, warm: World, sent: list[str], pot: str | None) -> None:
        await warm.given_workspace(pot=pot, max_concurrent_runs=1_000)
        found = await runs(warm)
        sent.clear()

        await ended(warm, found, Outcome(True, ODD))

        assert [text.count("pg_try_advisory") for text in sent if "pg_try" in text] == [1, MANY - 1]
        assert (await assert_exact(warm))["outputs of nodes"] == MANY * size(ODD)
        assert (await assert_exact(warm))["outputs of runs"] == MANY * size({"all": ODD}) + size({"all": None})
        if pot is not None:
            await assert_pot_exact(warm, pot, "acme")

    @pytest.mark.parametrize("pot", [None, "team"])
    async def test_what_runs_are_given_and_what_they_start_with(
        self, warm: World, sent: list[str], pot: str | None
    ) -> None:
        await warm.given_workspace(pot=pot, max_concurrent_runs=MANY // 2)
        await warm.given(starting_with_a_sum())
        requests = [warm.request("sums", inputs=GIVEN) for _ in range(MANY)]
        sent.clear()

        await admitted(warm, requests)

        assert transactions(sent) == 2
        found = await assert_exact(warm)
        assert (found["inputs"], found["outputs of nodes"]) == (MANY // 2 * size(GIVEN), MANY // 2 * size(ODD))
        if pot is not None:
            await assert_pot_exact(warm, pot, "acme")


class TestBounded:
    async def test_inputs(self, warm: World, sent: list[str]) -> None:
        await warm.given(one_node("given").with_input("text"))
        await leave(warm, 3 * size(GIVEN) + 1)
        requests = [warm.request("given", inputs=GIVEN) for _ in range(MANY)]
        sent.clear()

        answers = await admitted(warm, requests)

        assert transactions(sent) == 2
        waits = Counter(answer.waits_for for answer in answers if isinstance(answer, Admitted))
        assert waits == {None: 3, "StorageLimit": MANY - 3}
        assert sum((await assert_exact(warm)).values()) == MEGABYTE - 1

    async def test_outputs_of_runs_that_start(self, warm: World) -> None:
        await warm.given(starting_with_a_sum())
        given = size({"text": ""})
        await leave(warm, 3 * size(ODD) + MANY * given + 1)

        answers = await admitted(warm, [warm.request("sums") for _ in range(MANY)])

        views = [await warm.view(answer.run_id) for answer in answers if isinstance(answer, Admitted)]
        assert Counter(view.phase for view in views) == {RunPhase.RUNNING: 3, RunPhase.FAILED: MANY - 3}
        assert {view.nodes[0].reason for view in views if view.phase is RunPhase.FAILED} == {"StorageLimit"}
        assert sum((await assert_exact(warm)).values()) == MEGABYTE - 1

    async def test_outputs_of_which_one_more_fits_than_whole_runs_do(self, warm: World) -> None:
        pair = a_workflow("pairs").with_input("text", default="")
        for node, before in (("one", "by-hand"), ("two", "one")):
            pair = pair.with_node(node, config={"transform": {"expression": "odd"}}, after=[before])
        await warm.given(pair.with_node("work", after=["two"]))
        await leave(warm, 5 * size(ODD) + MANY * size({"text": ""}) + 1)

        answers = await admitted(warm, [warm.request("pairs") for _ in range(MANY)])

        views = [await warm.view(answer.run_id) for answer in answers if isinstance(answer, Admitted)]
        assert Counter(view.phase for view in views) == {RunPhase.RUNNING: 2, RunPhase.FAILED: MANY - 2}
        assert sum((await assert_exact(warm)).values()) == MEGABYTE - 1

    async def test_outputs_of_runs_that_end(self, warm: World) -> None:
        found = await runs(warm)
        each = size("x" * 8) + size({"all": "x" * 8})
        await leave(warm, 3 * each + 1)

        await ended(warm, found, Outcome(True, "x" * 8))

        views = [await warm.view(run) for run in found]
        assert Counter(view.phase for view in views) == {RunPhase.SUCCEEDED: 3, RunPhase.FAILED: MANY - 3}
        assert sum((await assert_exact(warm)).values()) == MEGABYTE - 1

    async def test_what_some_give_back_is_no_room_for_others_where_too_much_is_kept(self, warm: World) -> None:
        warm.expressions.values["all"] = ["y" * 1_000, "y" * 1_000]
        await warm.given(
            a_workflow("lists").with_node("each", forEach={"items": "all"}, config=container(args=["${{ item }}"]))
        )
        *alone, taking, giving = *await runs(warm, 2), await warm.admit("lists")
        await warm.given_workspace(max_storage_mb=0, max_concurrent_runs=1_000)

        await asyncio.gather(
            *map(warm.succeed, alone), warm.succeed(giving, "each.0"), warm.succeed(taking, output="x" * 500)
        )

        assert (await warm.view(taking)).nodes[0].reason == "StorageLimit"
        assert (await warm.phases(giving))["each"] is NodePhase.RUNNING
        await assert_exact(warm)
