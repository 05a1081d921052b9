"""Test and Debug runs: apart from every figure, with mocks, pins and places to stop at."""

from __future__ import annotations

from uuid import UUID

from headgate.api.circuit_breaker import CircuitBreaker
from headgate.api.debugging import Debug, RunMode
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.apart import GoingOn
from headgate.engine.types import Effects, Waiting
from tests.builders import a_workflow
from tests.component.tried import chain, given_outputs, tried
from tests.component.world import World, one_node


async def go_on(world: World, run: UUID, number: int) -> Effects:
    return await world.engine.control.pass_breakpoint(world.ids["acme"], run, GoingOn(number))


class TestFigures:
    async def test_no_place_no_start_and_no_failure_are_counted(self, world: World) -> None:
        await world.given_workspace(
            max_concurrent_runs=1, max_executions_per_day=1, breaker=CircuitBreaker(failure_threshold=1)
        )
        await world.given(one_node())

        run = await tried(world)

        usage = await world.usage()
        assert (usage["running"], usage["queued"], usage["executions"]) == (0, 0, 0)
        effects = await world.fail(run)
        assert (effects.finished, effects.breakers) == ((), frozenset())
        assert await world.phase(run) is RunPhase.FAILED
        assert (await world.usage())["running"] == 0
        normal = await world.admit()
        assert await world.phase(normal) is RunPhase.RUNNING

    async def test_ending_one_early_gives_back_nothing_either(self, world: World) -> None:
        await world.given(one_node())
        await world.admit()
        gently, at_once = await tried(world), await tried(world)

        await world.engine.control.stop(world.ids["acme"], gently, "no")
        await world.engine.control.cancel(world.ids["acme"], at_once, "no")

        assert (await world.usage())["running"] == 1

    async def test_five_are_under_way_at_most_and_others_are_refused_until_one_ends(self, world: World) -> None:
        await world.given(one_node())
        runs = [await tried(world) for _ in range(5)]

        refused = await world.refused(mode=RunMode.DEBUG)

        assert refused.reason == "TestLimit"
        await world.succeed(runs[0])
        assert await world.phase(await tried(world)) is RunPhase.RUNNING
        assert await world.phase(await world.admit()) is RunPhase.RUNNING

    async def test_it_takes_nobody_s_turn(self, world: World) -> None:
        await world.given(one_node().with_spec(concurrency={"limit": 1, "mutex": "only-one"}))
        await tried(world)
        await tried(world)

        assert await world.phase(await world.admit()) is RunPhase.RUNNING

    async def test_nothing_is_remembered(self, world: World) -> None:
        await world.given(one_node(memoize={"key": "same"}))
        run = await tried(world)
        await world.succeed(run, output=1)
        assert await world.phase(await world.admit()) is RunPhase.RUNNING

    async def test_its_attempts_say_so(self, world: World) -> None:
        await world.given(one_node())
        await tried(world, RunMode.DEBUG)
        await world.admit()

        assert sorted(str(task.mode) for task in await world.claim()) == ["Debug", "None"]


class TestMocks:
    async def test_a_mocked_node_does_not_run_and_gives_what_it_is_told(self, world: World) -> None:
        given_outputs(world)
        await world.given(chain())

        await tried(world, mocks=[{"node": "a"}, {"node": "b", "output": "from b"}])

        [task] = await world.claim()
        assert (task.ref.node, task.container.args) == ("c", ("from b",))

    async def test_or_fails_as_it_is_told(self, world: World) -> None:
        await world.given(chain())

        run = await tried(world, mocks=[{"node": "a", "failure": "no disk"}])

        view = await world.view(run)
        assert (view.phase, view.error_message) == (RunPhase.FAILED, "a: Mocked: no disk")

    async def test_a_mocked_condition_takes_the_branch_of_its_output(self, world: World) -> None:
        await world.given(
            a_workflow()
            .with_condition("check", "true", after=["by-hand"])
            .with_node("yes", after=["check"])
            .with_node("no", after=["check:false"])
        )

        run = await tried(world, mocks=[{"node": "check", "output": False}])

        assert await world.phases(run) == {
            "check": NodePhase.SUCCEEDED,
            "yes": NodePhase.SKIPPED,
            "no": NodePhase.QUEUED,
        }

    async def test_one_that_says_too_much_fails(self, world: World) -> None:
        await world.given(one_node())

        run = await tried(world, mocks=[{"node": "work", "output": "x" * 4096}])

        view = await world.view(run)
        assert view.error_message == "work: Mocked: the mock's output has 4098 bytes as JSON; the limit is 4096"

    async def test_a_node_that_reaches_others_needs_one(self, world: World) -> None:
        await world.given(a_workflow().with_node("ask", {"http": {"url": "https://example.com"}}))

        run = await tried(world)

        [node] = (await world.view(run)).nodes
        assert (node.phase, node.reason) == (NodePhase.FAILED, "NeedsMock")
        assert node.message.startswith("give it a mock")
        assert node.message.endswith("this node is of kind http")
        mocked = await tried(world, mocks=[{"node": "ask", "output": {"status": 200}}])
        assert await world.phase(mocked) is RunPhase.SUCCEEDED

    async def test_so_does_a_script_that_needs_the_gateway_for_its_credentials(self, world: World) -> None:
        env = [{"name": "TOKEN", "valueFrom": {"credentialKeyRef": {"name": "shop", "key": "token"}}}]
        await world.given(
            a_workflow().with_node("ask", {"script": {"language": "shell", "source": "true", "env": env}})
        )

        run = await tried(world)

        [node] = (await world.view(run)).nodes
        assert (node.phase, node.reason) == (NodePhase.FAILED, "NeedsMock")
        assert node.message.endswith("its script names credentials, which the gateway gives: shop")
        mocked = await tried(world, mocks=[{"node": "ask"}])
        assert await world.phase(mocked) is RunPhase.SUCCEEDED


class TestPartsOfTheGraph:
    async def test_it_starts_in_the_middle_with_what_an_earlier_run_gave(self, world: World) -> None:
        given_outputs(world)
        await world.given(chain())
        earlier = await world.admit()
        await world.succeed(earlier, "a")
        await world.succeed(earlier, "b", output="from earlier")
        await world.claim()

        run = await tried(world, pinsFrom=str(earlier), startFrom="c")

        [task] = await world.claim()
        assert (task.ref.run_id, task.ref.node, task.container.args) == (run, "c", ("from earlier",))
        view = await world.view(run)
        assert [(node.phase, node.reason) for node in view.nodes[:2]] == [(NodePhase.SUCCEEDED, "Pinned")] * 2

    async def test_what_comes_before_needs_an_output(self, world: World) -> None:
        await world.given(chain())

        refused = await world.refused(
            mode=RunMode.TEST, debug=Debug.model_validate({"startFrom": "c", "mocks": [{"node": "b"}]})
        )

        assert refused.reason == "InvalidDebug"
        assert refused.message.startswith(
            "give node 'a' a mock, or name by pins or pinsFrom a run in which it succeeded"
        )

    async def test_it_ends_after_a_node(self, world: World) -> None:
        await world.given(chain())
        run = await tried(world, stopAfter="a")

        await world.succeed(run, "a")

        view = await world.view(run)
        assert view.phase is RunPhase.SUCCEEDED
        assert [node.reason for node in view.nodes] == ["", "AfterStop", "AfterStop"]

    async def test_what_nobody_knows_is_refused(self, world: World) -> None:
        await world.given(chain())
        for debug in ({"startFrom": "x"}, {"mocks": [{"node": "by-hand"}]}, {"pinsFrom": "x", "startFrom": "b"}):
            refused = await world.refused(mode=RunMode.DEBUG, debug=Debug.model_validate(debug))
            assert refused.reason == "InvalidDebug"


class TestBreakpoints:
    async def test_before_a_node_it_stands_until_it_may_go_on(self, world: World) -> None:
        await world.given(chain())
        run = await tried(world, RunMode.DEBUG, breakpoints=[{"node": "b"}])
        await world.claim()

        await world.succeed(run, "a", output={"rows": 3})

        view = await world.view(run)
        assert view.phase is RunPhase.SUSPENDED
        assert view.waiting == (
            Waiting(
                "Breakpoint",
                "it stands before b; resume it to let it go on, a WorkflowRun by spec.resume or, to what comes next, "
                "spec.step",
            ),
        )
        assert view.nodes[0].output == {"rows": 3}
        assert await world.claim() == []
        assert (await go_on(world, run, 1)).tasks_queued
        assert [task.ref.node for task in await world.claim()] == ["b"]
        assert await world.phase(run) is RunPhase.RUNNING

    async def test_before_the_first_node_too(self, world: World) -> None:
        await world.given(chain())

        run = await tried(world, RunMode.DEBUG, breakpoints=[{"node": "a"}])

        assert await world.phase(run) is RunPhase.SUSPENDED
        assert await world.claim() == []
        await go_on(world, run, 1)
        assert [task.ref.node for task in await world.claim()] == ["a"]

    async def test_after_a_node_and_at_a_failure(self, world: World) -> None:
        given_outputs(world)
        await world.given(chain())
        points = [{"node": "a", "at": "After"}, {"node": "b", "at": "Failure"}, {"node": "c", "at": "Failure"}]
        run = await tried(world, RunMode.DEBUG, breakpoints=points)
        await world.succeed(run, "a")
        assert (await world.view(run)).waiting[0].message.startswith("it stands after a;")
        await go_on(world, run, 1)

        await world.fail(run, "b")

        assert (await world.view(run)).waiting[0].message.startswith("it stands at the failure of b;")
        await go_on(world, run, 2)
        assert await world.phase(run) is RunPhase.FAILED

    async def test_a_number_lets_it_go_on_once(self, world: World) -> None:
        await world.given(chain())
        run = await tried(world, RunMode.DEBUG, breakpoints=[{"node": "a"}, {"node": "b"}])
        await go_on(world, run, 1)
        await world.succeed(run, "a")
        assert await world.phase(run) is RunPhase.SUSPENDED

        await go_on(world, run, 1)
        await world.engine.control.resume(world.ids["acme"], run)
        assert await world.phase(run) is RunPhase.SUSPENDED
        await go_on(world, run, 2)
        assert await world.phase(run) is RunPhase.RUNNING

    async def test_it_can_be_ended_where_it_stands(self, world: World) -> None:
        await world.given(chain())
        run = await tried(world, RunMode.DEBUG, breakpoints=[{"node": "a"}])

        await world.engine.control.stop(world.ids["acme"], run, "enough")

        assert await world.phase(run) is RunPhase.CANCELLED
        assert (await world.usage())["running"] == 0
