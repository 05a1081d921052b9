"""Running what a workflow was before, and what an earlier run was."""

from __future__ import annotations

from uuid import uuid4

from headgate.api.workflow_run import RunPhase
from headgate.engine.types import TriggerKind
from tests.builders import WorkflowBuilder, a_workflow, container
from tests.component.world import World


def saying(word: str) -> WorkflowBuilder:
    """A workflow that says a word, and its input."""
    return a_workflow().with_input("to").with_node("say", container(args=[word, "${{ inputs.to }}"]))


async def said(world: World) -> list[tuple[str, ...]]:
    """What the containers that are due now say."""
    return [task.container.args for task in await world.claim()]


async def given_two_versions(world: World) -> None:
    world.expressions.values["inputs.to"] = lambda known: known["inputs"]["to"]
    await world.given(saying("hello"))
    await world.given(saying("goodbye"))


class TestVersions:
    async def test_an_older_one_is_run_where_it_is_asked_for(self, world: World) -> None:
        await given_two_versions(world)

        run = await world.admit(version=1, inputs={"to": "ann"})

        assert await said(world) == [("hello", "ann")]
        assert (await world.view(run)).version == 1

    async def test_an_unknown_one_is_refused_with_what_there_is(self, world: World) -> None:
        await given_two_versions(world)

        refused = await world.refused(version=3)

        assert refused.reason == "UnknownVersion"
        assert refused.message == "the workflow 'nightly' has no version 3: the newest is 2"

    async def test_they_are_listed_with_the_current_one_marked(self, world: World) -> None:
        await given_two_versions(world)
        await world.given(saying("hello"))

        listed = await world.engine.versions.list(world.ids["acme"], "acme", "nightly")

        assert [(item.number, item.current) for item in listed] == [(2, False), (1, True)]
        assert await world.engine.versions.list(world.ids["acme"], "acme", "other") == ()

    async def test_the_spec_of_one_makes_the_same_version_again(self, world: World) -> None:
        await given_two_versions(world)
        first = await world.engine.versions.spec(world.ids["acme"], "acme", "nightly", 1)
        assert first is not None

        again = await world.engine.workflows.record(world.ids["acme"], "acme", "nightly", first)

        assert again.number == 1
        assert await world.engine.versions.spec(world.ids["acme"], "acme", "nightly", 3) is None

    async def test_another_workspace_sees_none_of_them(self, world: World) -> None:
        await given_two_versions(world)
        await world.given_workspace("other")

        assert await world.engine.versions.list(world.ids["other"], "acme", "nightly") == ()
        assert await world.engine.versions.spec(world.ids["other"], "acme", "nightly", 1) is None


class TestReplay:
    async def test_it_takes_inputs_and_version_of_the_earlier_run(self, world: World) -> None:
        await given_two_versions(world)
        earlier = await world.admit(version=1, inputs={"to": "ann"})
        await said(world)

        run = await world.admit(replay_of=earlier)

        assert await said(world) == [("hello", "ann")]
        assert run != earlier
        [row] = await world.rows("SELECT replay_of FROM headgate.workflow_executions WHERE id = %s", run)
        assert row["replay_of"] == earlier

    async def test_on_another_version_where_one_is_named(self, world: World) -> None:
        await given_two_versions(world)
        earlier = await world.admit(version=1, inputs={"to": "ann"})
        await said(world)

        await world.admit(replay_of=earlier, version=2)

        assert await said(world) == [("goodbye", "ann")]

    async def test_with_other_inputs_where_some_are_given(self, world: World) -> None:
        await given_two_versions(world)
        earlier = await world.admit(inputs={"to": "ann"})
        await said(world)

        await world.admit(replay_of=earlier, inputs={"to": "bob"})

        assert await said(world) == [("goodbye", "bob")]

    async def test_from_a_trigger_that_nobody_could_fire_by_hand(self, world: World) -> None:
        await world.given(
            a_workflow()
            .with_schedule("at-two", "0 2 * * *")
            .with_node("scheduled", after=["at-two"])
            .with_node("manual", after=["by-hand"])
        )
        earlier = await world.admit(kind=TriggerKind.SCHEDULE, trigger="at-two")

        run = await world.admit(replay_of=earlier)

        assert {task.ref.node for task in await world.claim() if task.ref.run_id == run} == {"scheduled"}

    async def test_what_the_newer_version_does_not_know_is_refused(self, world: World) -> None:
        await given_two_versions(world)
        with_input = await world.admit(inputs={"to": "ann"})
        without = await world.admit()
        await world.given(a_workflow().with_node("say"))

        assert (await world.refused(replay_of=with_input, version=3)).reason == "InvalidInputs"
        run = await world.admit(replay_of=without, version=3)
        assert await world.phase(run) is RunPhase.RUNNING

    async def test_of_a_run_that_is_not_there_or_another_workflow_s_it_is_refused(self, world: World) -> None:
        await given_two_versions(world)
        await world.given(a_workflow("other").with_node("say"))
        other = await world.admit("other")
        await world.given_workspace("stranger")

        for run in (other, uuid4()):
            refused = await world.refused(replay_of=run)
            assert refused.reason == "UnknownRun"
            assert refused.message == f"the workflow 'nightly' has no run {run} to replay"
