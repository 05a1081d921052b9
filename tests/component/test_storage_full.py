"""Where a workspace may keep no more: what is refused, in which words, and that no run is stuck by it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.step_log import log_path
from headgate.engine.engine import Engine
from headgate.engine.types import Outcome
from tests.builders import a_workflow, container
from tests.component.keeping import given_values
from tests.component.kept import assert_exact
from tests.component.world import World, one_node

MEGABYTE = 10**6


class TestFull:
    """A megabyte, of which some is taken by a run that waits for its log to go."""

    @pytest.fixture(autouse=True)
    async def log(self, world: World) -> None:
        await world.given_workspace(max_storage_mb=1)
        given_values(world)
        await world.given(one_node("printing"))
        await world.succeed(await world.admit("printing"))

    async def leave(self, world: World, left: int) -> None:
        """Have a log take all but that much."""
        [printing] = await world.rows(
            "SELECT execution_id AS run FROM headgate.workflow_execution_steps s JOIN headgate.workflow_executions e"
            " ON e.id = s.execution_id JOIN headgate.workflows w ON w.id = e.workflow_id WHERE w.name = 'printing'"
        )
        ref = world.ref(printing["run"], "work")
        await world.engine.logs.record(ref, None, 0, truncated=False, again=True)
        taken = (await world.usage())["storage_bytes"]
        length = MEGABYTE - taken - left
        assert await world.engine.logs.record(ref, log_path(ref), length, truncated=False, again=True)

    async def test_of_two_outputs_at_once_one_is_kept_and_the_other_one_says_how_much_was_left(
        self, world: World, replicas: list[Engine]
    ) -> None:
        await world.given(one_node())
        runs = [await world.admit() for _ in range(2)]
        await self.leave(world, 15)

        await asyncio.gather(
            *(
                engine.complete(world.ref(run, "work"), Outcome(True, "x" * 8))
                for engine, run in zip(replicas, runs, strict=True)
            )
        )

        views = [await world.view(run) for run in runs]
        [lost] = [view for view in views if view.phase is RunPhase.FAILED]
        assert {view.phase for view in views} == {RunPhase.SUCCEEDED, RunPhase.FAILED}
        assert lost.nodes[0].reason == "StorageLimit"
        assert lost.nodes[0].message == (
            "its output takes 10 bytes, and 5 are left of the 1 MB that maxStorageMB of the Quota allows: write less, "
            "raise the limit, or have runs archived sooner (spec.retention)"
        )
        assert lost.error_message == f"work: StorageLimit: {lost.nodes[0].message}"
        await assert_exact(world)

    async def test_a_run_goes_on_from_it_where_its_node_says_so(self, world: World) -> None:
        await world.given(one_node(onFailure="Continue").with_node("after", after=["work"]))
        run = await world.admit()
        await self.leave(world, 3)

        await world.succeed(run, output="x" * 8)

        assert await world.phases(run) == {"work": NodePhase.FAILED, "after": NodePhase.QUEUED}
        await world.succeed(run, "after")
        assert await world.phase(run) is RunPhase.SUCCEEDED

    async def test_what_the_run_gives_fails_the_run_and_not_its_last_node(self, world: World) -> None:
        await world.given(one_node().with_output("all", "nodes.work.output"))
        run = await world.admit()
        await self.leave(world, 10)

        await world.succeed(run, output="x" * 8)

        view = await world.view(run)
        assert (view.phase, view.outputs, view.nodes[0].phase) == (RunPhase.FAILED, None, NodePhase.SUCCEEDED)
        assert (view.error_message or "").startswith("StorageLimit: what the run gives takes 19 bytes, and 0 are left")
        await assert_exact(world)

    async def test_neither_the_last_output_nor_what_the_run_gives_fit(self, world: World) -> None:
        world.expressions.values["sum"] = "a constant"
        await world.given(one_node(onFailure="Continue").with_output("all", "sum"))
        run = await world.admit()
        await self.leave(world, 5)

        await world.succeed(run, output="x" * 8)

        view = await world.view(run)
        assert (view.phase, view.outputs) == (RunPhase.FAILED, None)
        assert (view.nodes[0].phase, view.nodes[0].reason) == (NodePhase.FAILED, "StorageLimit")
        assert "what the run gives" in (view.error_message or "")
        await assert_exact(world)

    async def test_what_follows_by_itself_fails_alone(self, world: World) -> None:
        sum_ = {"transform": {"expression": "odd"}}
        await world.given(one_node().with_node("sum", after=["work"], config=sum_, onFailure="Continue"))
        run = await world.admit()
        await self.leave(world, 20)

        await world.succeed(run, output="x" * 8)

        view = await world.view(run)
        assert [(node.phase, node.reason) for node in view.nodes] == [
            (NodePhase.SUCCEEDED, ""),
            (NodePhase.FAILED, "StorageLimit"),
        ]
        assert view.phase is RunPhase.SUCCEEDED

    async def test_a_list_that_does_not_fit_fails_its_node(self, world: World) -> None:
        each = (
            a_workflow()
            .with_node("before")
            .with_node("each", after=["before"], forEach={"items": "all"}, config=container(args=["${{ item }}"]))
        )
        await world.given(each)
        run = await world.admit()
        await self.leave(world, 14)

        await world.succeed(run, "before")

        assert await world.phases(run) == {"before": NodePhase.SUCCEEDED, "each": NodePhase.FAILED}
        assert (await world.view(run)).nodes[1].reason == "StorageLimit"

    async def test_the_room_that_its_items_had_is_enough_for_a_list_of_outputs(self, world: World) -> None:
        await world.given(
            a_workflow().with_node("each", forEach={"items": "all"}, config=container(args=["${{ item }}"]))
        )
        run = await world.admit()
        for index in (0, 1):
            await world.succeed(run, f"each.{index}", output=index)
        await self.leave(world, 1)

        await world.succeed(run, "each.2", output=2)

        view = await world.view(run)
        assert (view.phase, view.nodes[0].output) == (RunPhase.SUCCEEDED, [0, 1, 2])
        await assert_exact(world)

    async def test_an_attempt_that_failed_is_repeated_without_what_it_wrote(self, world: World) -> None:
        await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
        run = await world.admit()
        await self.leave(world, 5)

        await world.engine.complete(world.ref(run, "work"), Outcome(False, "x" * 8, reason="ExitCode", message="3"))

        [first] = await world.rows(
            "SELECT * FROM headgate.workflow_execution_steps WHERE execution_id = %s AND attempt = 1", run
        )
        assert (first["reason"], first["output"]) == ("ExitCode", None)
        assert first["message"].startswith("3; its output takes 10 bytes, and 5 are left")
        assert (await world.view(run)).nodes[0].attempt == 2

    async def test_what_finds_no_room_beside_the_output_is_not_remembered(self, world: World) -> None:
        await world.given(one_node(memoize={"key": "same"}))
        run = await world.admit()
        await self.leave(world, 15)

        await world.succeed(run, output="x" * 8)

        assert await world.phase(run) is RunPhase.SUCCEEDED
        assert "remembered" not in await assert_exact(world)

    async def test_a_run_that_was_held_goes_on_and_fails_by_it(self, world: World) -> None:
        sum_ = {"transform": {"expression": "odd"}}
        await world.given(one_node().with_node("sum", after=["work"], config=sum_))
        run = await world.admit()
        await world.engine.control.suspend(world.ids["acme"], run, "not now")
        await world.succeed(run)
        await self.leave(world, 5)

        await world.engine.control.resume(world.ids["acme"], run)

        view = await world.view(run)
        assert (view.phase, view.nodes[1].reason) == (RunPhase.FAILED, "StorageLimit")
        await assert_exact(world)

    async def test_a_run_is_ended_though_more_is_kept_than_may_be(self, world: World) -> None:
        await world.given(
            a_workflow().with_node("each", forEach={"items": "all"}, config=container(args=["${{ item }}"]))
        )
        run = await world.admit()
        await world.given_workspace(max_storage_mb=0)

        await world.engine.control.cancel(world.ids["acme"], run, "enough")

        assert await world.phase(run) is RunPhase.CANCELLED
        assert set(await assert_exact(world)) == set()


class TestStarting:
    async def test_what_a_run_was_given_is_kept_from_when_it_starts(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=0, max_storage_mb=1)
        await world.given(one_node().with_input("text"))
        runs = [await world.admit(inputs={"text": "x" * 60_000}) for _ in range(20)]
        assert await assert_exact(world) == {}
        await world.given_workspace(max_storage_mb=1)

        await world.engine.start_all_pending()

        phases = Counter([await world.phase(run) for run in runs])
        assert phases == {RunPhase.RUNNING: 16, RunPhase.PENDING: 4}
        assert "StorageLimit" in {waiting.reason for run in runs for waiting in (await world.view(run)).waiting}
        assert await assert_exact(world) == {"inputs": 16 * 60_012}

    async def test_one_for_which_there_is_no_room_is_refused_where_the_plan_rejects(self, world: World) -> None:
        await world.given_workspace(max_storage_mb=1, on_exceeded=OnExceeded.REJECT)
        await world.given(one_node().with_input("text"))
        for _ in range(16):
            await world.admit(inputs={"text": "x" * 60_000})

        refused = await world.refused(inputs={"text": "x" * 60_000})

        assert refused.reason == "StorageLimit"
        assert refused.message.startswith("what the run is given takes 60012 bytes, and 39808 are left of the 1 MB")

    async def test_what_was_counted_of_a_retried_run_does_not_hold_it_up(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=0, max_storage_mb=1)
        await world.given(one_node().with_input("text"))
        runs = [await world.admit(inputs={"text": "x" * 62_488}) for _ in range(16)]
        for run in runs:
            await world.engine.control.cancel(world.ids["acme"], run, "enough")
            await world.engine.control.retry(world.ids["acme"], run, 1)
        assert (await world.usage())["storage_bytes"] == MEGABYTE
        await world.given_workspace(max_storage_mb=1)

        await world.engine.start_all_pending()

        assert {await world.phase(run) for run in runs} == {RunPhase.RUNNING}
        await assert_exact(world)

    @pytest.mark.parametrize("on_exceeded", OnExceeded)
    async def test_a_run_whose_first_value_does_not_fit_starts_and_fails_by_it(
        self, world: World, on_exceeded: OnExceeded
    ) -> None:
        await world.given_workspace(max_storage_mb=1, on_exceeded=on_exceeded)
        world.expressions.values |= {f"n{n}": "x" * 65_000 for n in range(17)}
        many = a_workflow()
        for number in range(17):
            many = many.with_node(f"n{number}", config={"transform": {"expression": f"n{number}"}})
        await world.given(many)

        run = await world.admit()

        view = await world.view(run)
        assert view.phase is RunPhase.FAILED
        assert [node.id for node in view.nodes if node.reason == "StorageLimit"] == ["n15", "n16"]
        assert (await assert_exact(world))["outputs of nodes"] == 15 * 65_002

    async def test_one_that_waited_does_so_too(self, world: World) -> None:
        await world.given_workspace(max_storage_mb=1, max_concurrent_runs=0)
        world.expressions.values |= {f"n{n}": "x" * 65_000 for n in range(17)}
        many = a_workflow()
        for number in range(17):
            many = many.with_node(f"n{number}", config={"transform": {"expression": f"n{number}"}})
        await world.given(many)
        run = await world.admit()
        await world.given_workspace(max_storage_mb=1)

        await world.engine.start_all_pending()

        assert await world.phase(run) is RunPhase.FAILED
        await assert_exact(world)


@pytest.mark.parametrize("pot", [None, "team"])
async def test_what_does_not_fit_is_counted_nowhere(world: World, pot: str | None) -> None:
    await world.given_workspace("acme", pot=pot, max_storage_mb=1)
    await world.given_workspace("globex", pot=pot, max_storage_mb=1)

    async def keep(workspace: str, size: int) -> bool:
        [kept] = await world.rows("SELECT headgate.keep_bytes(%s, %s) AS fits", world.ids[workspace], size)
        return bool(kept["fits"])

    assert await keep("acme", MEGABYTE - 1)
    assert not await keep("acme", 2)
    assert await keep("globex", 2) is (pot is None)
    assert await keep("acme", 1)
    assert await keep("acme", -MEGABYTE - 7), "what becomes less fits, and takes no more than there is"

    used = [(await world.usage(workspace))["storage_bytes"] for workspace in ("acme", "globex")]
    assert used == [0, 2 if pot is None else 0]
    assert pot is None or (await world.pot(pot))["storage_bytes"] == 0
