"""Who gets a run, and when it starts."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from headgate.api.workflow_run import RunPhase
from headgate.domain.ids import uuid7_time
from headgate.engine.types import Admitted, Refused, TriggerKind
from tests.builders import a_workflow
from tests.component.world import World, one_node


async def test_the_same_key_gives_the_same_run_again(world: World) -> None:
    await world.given(one_node())
    first = await world.admit(key="resource:1")

    answer, effects = await world.engine.admit(world.request(key="resource:1"))

    assert answer == Admitted(first, duplicate=True)
    assert effects.runs == frozenset()
    assert (await world.usage())["running"] == 1


async def test_the_same_key_gives_the_same_run_in_another_month(world: World) -> None:
    await world.given(one_node())
    first = await world.admit(key="resource:1")
    world.clock.advance(days=40)
    await world.engine.ensure_partitions(world.clock.now)

    assert await world.admit(key="resource:1") == first


async def test_the_same_key_is_another_run_in_another_workspace(world: World) -> None:
    await world.given_workspace("other")
    await world.given(one_node())
    await world.given(one_node(), "other")

    assert await world.admit(key="resource:1") != await world.admit(workspace="other", key="resource:1")


async def test_one_key_asked_for_by_many_replicas_at_once_makes_one_run(world: World) -> None:
    await world.given(one_node())
    replicas = [world.another_engine() for _ in range(4)]
    requests = [replicas[i % 4].admit(world.request(key="resource:1")) for i in range(20)]

    answers = [answer for answer, _ in await asyncio.gather(*requests)]

    assert {answer.run_id for answer in answers if isinstance(answer, Admitted)} == {
        (await world.rows("SELECT id FROM headgate.workflow_executions"))[0]["id"]
    }
    assert Counter(answer.duplicate for answer in answers if isinstance(answer, Admitted)) == {False: 1, True: 19}
    assert len(await world.rows("SELECT FROM headgate.tasks")) == 1
    assert (await world.usage())["running"] == 1


async def test_of_forty_requests_at_once_exactly_ten_start_where_ten_may(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=10)
    await world.given(one_node())

    runs = await asyncio.gather(*(world.admit() for _ in range(40)))

    phases = Counter([await world.phase(run) for run in runs])
    assert phases == {RunPhase.RUNNING: 10, RunPhase.PENDING: 30}
    usage = await world.usage()
    assert (usage["running"], usage["queued"], usage["executions"]) == (10, 30, 10)


async def test_of_forty_requests_at_once_exactly_ten_start_where_the_day_allows_ten(world: World) -> None:
    await world.given_workspace(max_executions_per_day=10)
    await world.given(one_node())

    runs = await asyncio.gather(*(world.admit() for _ in range(40)))

    assert Counter([await world.phase(run) for run in runs]) == {RunPhase.RUNNING: 10, RunPhase.PENDING: 30}
    assert (await world.usage())["executions"] == 10


async def test_runs_that_end_and_start_at_once_leave_exact_counts(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=3)
    await world.given(one_node())
    wanted, ended = 24, 0

    async def admit_some() -> None:
        for _ in range(wanted // 4):
            await world.admit()

    async def work() -> None:
        nonlocal ended
        while ended < wanted:
            for task in await world.claim(limit=2):
                await world.succeed(task.ref.run_id, "work")
                ended += 1

    await asyncio.gather(*(admit_some() for _ in range(4)), *(work() for _ in range(4)))

    states = await world.rows("SELECT status, count(*) FROM headgate.workflow_executions GROUP BY status")
    assert states == [{"status": "Succeeded", "count": wanted}]
    usage = await world.usage()
    assert (usage["running"], usage["queued"], usage["executions"]) == (0, 0, wanted)


async def test_a_run_over_the_concurrency_limit_waits_and_says_so(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    await world.given(one_node())
    await world.admit()

    waiting = await world.view(await world.admit())

    assert waiting.phase is RunPhase.PENDING
    assert [(w.reason, w.until) for w in waiting.waiting] == [("ConcurrencyLimit", None)]
    assert len(await world.claim()) == 1


async def test_a_run_over_the_daily_limit_waits_for_midnight_utc(world: World) -> None:
    await world.given_workspace(max_executions_per_day=1)
    await world.given(one_node())
    await world.admit()

    waiting = await world.view(await world.admit())

    assert [(w.reason, w.until) for w in waiting.waiting] == [("DailyLimit", datetime(2026, 3, 11, tzinfo=UTC))]


async def test_a_limit_of_none_lets_nothing_start(world: World) -> None:
    await world.given_workspace(max_executions_per_day=0)
    await world.given(one_node())

    assert await world.phase(await world.admit()) is RunPhase.PENDING


async def test_a_new_day_counts_from_zero(world: World) -> None:
    await world.given_workspace(max_executions_per_day=1)
    await world.given(one_node())
    await world.admit()
    world.clock.advance(days=1)

    assert await world.phase(await world.admit()) is RunPhase.RUNNING
    assert (await world.usage())["executions"] == 1


async def test_a_replica_whose_clock_is_behind_does_not_bring_yesterday_back(world: World) -> None:
    await world.given_workspace(max_executions_per_day=1)
    await world.given(one_node())
    world.clock.now = datetime(2026, 3, 11, 0, 0, 1, tzinfo=UTC)
    await world.admit()
    world.clock.now -= timedelta(seconds=2)
    waiting = await world.admit()
    assert await world.phase(waiting) is RunPhase.PENDING

    world.clock.now += timedelta(seconds=2)
    await world.engine.start_pending(world.ids["acme"])

    assert [w.reason for w in (await world.view(waiting)).waiting] == ["DailyLimit"]


async def test_a_run_of_a_suspended_workspace_waits(world: World) -> None:
    await world.given(one_node())
    await world.given_workspace(suspended=True)

    waiting = await world.view(await world.admit())

    assert [w.reason for w in waiting.waiting] == ["Suspended"]


async def test_a_run_of_a_suspended_workflow_waits(world: World) -> None:
    await world.given(one_node().with_spec(suspend=True))

    waiting = await world.view(await world.admit())

    assert [w.reason for w in waiting.waiting] == ["WorkflowSuspended"]
    assert (await world.usage())["queued"] == 0


async def test_a_run_starts_with_the_time_that_is_in_its_id(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()

    assert (await world.view(run)).started_at == uuid7_time(run) == world.clock.now


async def test_a_run_of_conditions_alone_ends_at_once_and_takes_no_place(world: World) -> None:
    world.expressions.values["inputs.day == 1"] = False
    await world.given(
        a_workflow()
        .with_condition("first", "inputs.day == 1", after=["by-hand"])
        .with_node("report", after=["first"])
        .with_input("day", default=2)
    )

    run = await world.admit()

    assert await world.phase(run) is RunPhase.SUCCEEDED
    usage = await world.usage()
    assert (usage["running"], usage["executions"]) == (0, 1)


class TestRefusals:
    async def test_without_a_workflow(self, world: World) -> None:
        refused = await world.refused("missing")
        assert refused.reason == "WorkflowNotFound"
        assert "'missing'" in refused.message

    async def test_with_an_input_that_the_workflow_does_not_have(self, world: World) -> None:
        await world.given(one_node().with_input("day"))
        refused = await world.refused(inputs={"dya": 1})
        assert refused == Refused("InvalidInputs", "the workflow has no input 'dya'; its inputs are: day")

    async def test_without_a_required_input(self, world: World) -> None:
        await world.given(one_node().with_input("day", required=True))
        assert (await world.refused()).reason == "InvalidInputs"
        await world.admit(inputs={"day": 1})

    async def test_with_an_input_that_does_not_fit_its_schema(self, world: World) -> None:
        schema = {"type": "object", "properties": {"rows": {"items": {"type": "integer", "maximum": 9}}}}
        await world.given(one_node().with_input("job", schema=schema))
        refused = await world.refused(inputs={"job": {"rows": [1, 10]}})
        assert refused == Refused(
            "InvalidInputs",
            "input 'job': at /rows/1: the value is greater than the maximum of 9; give it a value that fits the schema "
            "that the workflow has for it",
        )
        await world.admit(inputs={"job": {"rows": [1, 9]}})
        await world.admit()

    async def test_with_inputs_that_are_together_too_large_for_their_schemas(self, world: World) -> None:
        workflow = one_node()
        for name in "abcdef":
            workflow = workflow.with_input(
                name, schema={"items": {"allOf": [{"not": {"const": n}} for n in range(120)]}}
            )
        await world.given(workflow)
        value = [7777] * 1500
        assert "together too large" in (await world.refused(inputs=dict.fromkeys("abcdef", value))).message
        await world.admit(inputs={"a": value})

    async def test_with_inputs_over_64_kib(self, world: World) -> None:
        await world.given(one_node().with_input("text"))
        refused = await world.refused(inputs={"text": "x" * 65_536})
        assert refused.reason == "InvalidInputs"
        assert "the limit is 65536" in refused.message

    async def test_with_inputs_that_postgres_cannot_hold(self, world: World) -> None:
        await world.given(one_node().with_input("text"))
        assert "U+0000" in (await world.refused(inputs={"text": "a\0b"})).message
        assert "surrogate" in (await world.refused(inputs={"text": "\ud800"})).message
        assert "JSON" in (await world.refused(inputs={"text": float("nan")})).message
        await world.admit(inputs={"text": "a\\u0000b"})

    async def test_for_a_trigger_that_is_not_there_or_not_manual(self, world: World) -> None:
        await world.given(one_node().with_schedule("hourly", "0 * * * *"))
        assert (await world.refused(trigger="nightly")).reason == "InvalidTrigger"
        assert (await world.refused(trigger="work")).reason == "InvalidTrigger"
        assert (await world.refused(trigger="hourly")).reason == "InvalidTrigger"
        await world.admit(trigger="hourly", kind=TriggerKind.SCHEDULE)

    async def test_leave_the_key_unused(self, world: World) -> None:
        await world.given(one_node().with_input("day", required=True))
        await world.refused(key="resource:1")
        await world.admit(key="resource:1", inputs={"day": 1})

    async def test_write_nothing(self, world: World) -> None:
        await world.refused("missing")
        assert await world.rows("SELECT FROM headgate.execution_triggers") == []
        assert (await world.usage())["executions"] == 0


async def test_inputs_that_are_not_given_take_their_defaults(world: World) -> None:
    await world.given(one_node().with_input("day", default="monday").with_input("note"))
    await world.admit()
    [row] = await world.rows("SELECT inputs FROM headgate.workflow_executions")
    assert row["inputs"] == {"day": "monday", "note": None}


async def test_a_month_without_a_partition_is_made_when_it_is_needed(world: World) -> None:
    await world.given(one_node())
    world.clock.now = datetime(2031, 7, 1, tzinfo=UTC)

    run = await world.admit()

    [row] = await world.rows("SELECT tableoid::regclass::text AS partition FROM headgate.workflow_executions")
    assert row["partition"] == "headgate.workflow_executions_2031_07"
    assert await world.phase(run) is RunPhase.RUNNING
