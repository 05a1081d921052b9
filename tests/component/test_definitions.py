"""Workspaces, workflows and their versions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headgate.api.quota import Limits
from headgate.api.workflow import WorkflowSpec
from headgate.api.workflow_run import RunPhase
from headgate.engine.types import DefinitionError, WorkspaceRecord
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World, one_node


async def written(world: World, act: Callable[[], Awaitable[object]]) -> bool:
    """Whether something in the tables that define workspaces and workflows was written, judged by rows' versions."""
    query = """
        SELECT max(xmin::text::bigint) AS newest FROM (
            SELECT xmin FROM headgate.workspaces UNION ALL SELECT xmin FROM headgate.workspace_resource_quotas
            UNION ALL SELECT xmin FROM headgate.workspace_usage UNION ALL SELECT xmin FROM headgate.workflows
            UNION ALL SELECT xmin FROM headgate.workflow_versions UNION ALL SELECT xmin FROM headgate.workflow_schedules
        ) rows
    """
    before = await world.rows(query)
    await act()
    return before != await world.rows(query)


class TestWorkspace:
    async def test_that_is_unchanged_is_not_written(self, world: World) -> None:
        assert not await written(world, world.given_workspace)
        assert await written(world, lambda: world.given_workspace(max_workflows=7))

    async def test_keeps_its_id_while_its_limits_change(self, world: World) -> None:
        before = world.ids["acme"]
        assert await world.given_workspace(max_concurrent_runs=7, suspended=True) == before
        [row] = await world.rows("SELECT max_concurrent_runs FROM headgate.workspace_resource_quotas")
        assert row["max_concurrent_runs"] == 7

    async def test_that_many_replicas_record_at_once_is_one(self, world: World) -> None:
        record = WorkspaceRecord("new", Limits(), suspended=False)
        ids = await asyncio.gather(*(world.engine.workspaces.sync(record) for _ in range(8)))
        assert len(set(ids)) == 1

    async def test_that_was_retired_leaves_its_name_to_a_new_one_and_its_history_in_place(self, world: World) -> None:
        await world.given(one_node())
        old, run = world.ids["acme"], await world.admit()
        [task] = await world.claim()

        effects = await world.engine.workspaces.retire("acme")

        assert effects.cancelled == (task.ref,)
        assert await world.given_workspace() != old
        view = await world.engine.run_view(old, run)
        assert view is not None
        assert view.phase is RunPhase.CANCELLED

    async def test_that_was_retired_runs_nothing_any_more(self, world: World) -> None:
        await world.given(one_node().with_schedule("hourly", "0 * * * *"))
        await world.engine.workspaces.retire("acme")
        assert (await world.refused()).reason == "WorkflowNotFound"
        assert (await world.engine.fire_due(world.clock.advance(days=1))).effects.runs == frozenset()

    async def test_is_found_by_its_name(self, world: World) -> None:
        assert await world.engine.workspaces.id_of("acme") == world.ids["acme"]
        assert await world.engine.workspaces.id_of("missing") is None

    async def test_that_nobody_knows_can_be_retired_and_suspended(self, world: World) -> None:
        assert (await world.engine.workspaces.retire("missing")).runs == frozenset()
        await world.engine.workspaces.suspend("missing")

    async def test_that_is_suspended_by_name_starts_nothing_until_it_is_recorded_otherwise(self, world: World) -> None:
        await world.given(one_node())
        await world.engine.workspaces.suspend("acme")
        run = await world.admit()
        assert await world.phase(run) is RunPhase.PENDING

        await world.given_workspace()
        await world.engine.start_pending(world.ids["acme"])
        assert await world.phase(run) is RunPhase.RUNNING


class TestVersion:
    async def test_that_is_unchanged_is_not_written(self, world: World) -> None:
        workflow = one_node().with_schedule("hourly", "0 * * * *")
        first = await world.given(workflow)
        assert not await written(world, lambda: world.given(workflow))
        assert await world.given(workflow) == first

    async def test_of_new_content_has_the_next_number(self, world: World) -> None:
        first = await world.given(one_node())
        second = await world.given(one_node().with_node("more"))
        assert (first.number, second.number) == (1, 2)
        assert first.workflow_id == second.workflow_id
        assert first.content_hash != second.content_hash

    async def test_that_comes_back_keeps_its_number(self, world: World) -> None:
        first = await world.given(one_node())
        await world.given(one_node().with_node("more"))
        assert await world.given(one_node()) == first
        assert (await world.view(await world.admit())).version == 1

    async def test_does_not_depend_on_the_order_of_keys_or_on_defaults_being_spelt_out(self, world: World) -> None:
        first = await world.given(one_node())
        spelt = one_node().with_value("spec.nodes.1.timeout", "24h").with_value("spec.inputs", [])
        assert await world.given(spelt) == first

    async def test_is_not_made_by_suspending(self, world: World) -> None:
        first = await world.given(one_node())
        assert await world.given(one_node().with_spec(suspend=True)) == first

    async def test_that_many_replicas_record_at_once_is_one(self, world: World) -> None:
        replicas = [world.another_engine() for _ in range(6)]
        spec = one_node().model().spec
        versions = await asyncio.gather(
            *(replica.workflows.record(world.ids["acme"], "acme", "nightly", spec) for replica in replicas)
        )
        assert len(set(versions)) == 1

    async def test_of_workflows_with_the_same_name_in_two_namespaces_are_apart(self, world: World) -> None:
        spec = one_node().model().spec
        here = await world.engine.workflows.record(world.ids["acme"], "acme", "nightly", spec)
        there = await world.engine.workflows.record(world.ids["acme"], "acme-batch", "nightly", spec)
        assert here.workflow_id != there.workflow_id

    @pytest.mark.parametrize(
        ("workflow", "words"),
        [
            (a_workflow().with_node("b", after=["a"]).with_node("a"), "'b' depends on 'a', which is not listed before"),
            (one_node().with_node("work"), "'work' is used twice"),
            (one_node().with_schedule("never", "0 0 30 2 *"), "node never: "),
        ],
    )
    async def test_that_cannot_run_is_refused_with_what_to_change(
        self, world: World, workflow: WorkflowBuilder, words: str
    ) -> None:
        spec = WorkflowSpec.model_validate(workflow.body["spec"])
        with pytest.raises(DefinitionError, match=words):
            await world.engine.workflows.record(world.ids["acme"], "acme", "nightly", spec)


class TestRetiredWorkflow:
    async def test_starts_no_run_but_lets_those_under_way_end(self, world: World) -> None:
        await world.given(one_node())
        run = await world.admit()
        await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")

        assert (await world.refused()).reason == "WorkflowNotFound"
        await world.succeed(run, "work")
        assert await world.phase(run) is RunPhase.SUCCEEDED

    async def test_leaves_its_name_to_a_new_one(self, world: World) -> None:
        first = await world.given(one_node())
        await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")
        second = await world.given(one_node())
        assert second.workflow_id != first.workflow_id
        assert second.number == 1

    async def test_that_nobody_knows_is_no_trouble(self, world: World) -> None:
        await world.engine.workflows.retire(world.ids["acme"], "acme", "missing")


async def test_what_postgres_cannot_hold_is_not_recorded_and_its_place_is_named(world: World) -> None:
    workflow = one_node().with_input("day", default={"at": ["\x00"]})

    with pytest.raises(DefinitionError, match=r"spec\.inputs\[0\]\.default\.at\[0\] contains the character U\+0000"):
        await world.given(workflow)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"schema": {"$ref": "#"}}, r"input day: the schema has \$ref"),
        ({"schema": {"type": "integer"}, "default": "monday"}, "input day: the default does not fit the schema"),
    ],
)
async def test_an_input_with_a_schema_that_cannot_be_used_is_not_recorded(
    world: World, members: dict[str, Any], words: str
) -> None:
    with pytest.raises(DefinitionError, match=words):
        await world.given(one_node().with_input("day", **members))
    assert await world.rows("SELECT FROM headgate.workflow_versions") == []
