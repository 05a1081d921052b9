"""Schedules: every tick makes one run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from headgate.api.workflow_run import RunPhase
from headgate.engine.types import Effects, Fired, RunFilter, RunSummary, TriggerKind
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World, one_node


def at(hour: int, minute: int = 0, day: int = 10) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def hourly(name: str = "nightly", **schedule: str) -> WorkflowBuilder:
    return a_workflow(name).with_schedule("hourly", "0 * * * *", **schedule).with_node("work", after=["hourly"])


async def fire(world: World, now: datetime) -> Fired:
    world.clock.now = now
    return await world.engine.fire_due(now)


async def runs(world: World) -> list[RunSummary]:
    return list((await world.engine.list_runs(world.ids["acme"], RunFilter())).runs)


async def ticks(world: World) -> list[str]:
    """The ticks that made runs, as hour and minute."""
    rows = await world.rows("SELECT trigger_key FROM headgate.workflow_executions ORDER BY trigger_key")
    return [row["trigger_key"].rsplit("T", 1)[1][:5] for row in rows]


async def test_a_tick_makes_one_run_and_says_when_the_next_is_due(world: World) -> None:
    await world.given(hourly())

    assert await fire(world, at(12, 59)) == Fired(Effects(), frozenset(), at(13))
    fired = await fire(world, at(13))

    [run] = await runs(world)
    assert run.kind is TriggerKind.SCHEDULE
    assert fired.effects.runs == {run.run_id}
    assert fired.effects.tasks_queued
    assert fired.workflows == {("acme", "nightly")}
    assert await fire(world, at(13)) == Fired(Effects(), frozenset(), at(14))


async def test_a_tick_that_many_replicas_fire_at_once_makes_one_run(world: World) -> None:
    for number in range(5):
        await world.given(hourly(f"workflow-{number}"))
    world.clock.now = at(13)
    replicas = [world.another_engine() for _ in range(4)]

    await asyncio.gather(*(replica.fire_due(at(13)) for replica in replicas))

    assert sorted(run.workflow for run in await runs(world)) == [f"workflow-{number}" for number in range(5)]


async def test_a_tick_whose_move_was_not_kept_is_not_run_twice(world: World) -> None:
    version = await world.given(hourly())
    await fire(world, at(13))
    await world.rows(
        "UPDATE headgate.workflow_schedules SET next_tick = %s WHERE workflow_id = %s RETURNING 1",
        at(13),
        version.workflow_id,
    )

    await fire(world, at(13, 1))

    assert await ticks(world) == ["13:00"]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [("None", ["17:00"]), ("Latest", ["17:00"]), ("All", ["13:00", "14:00", "15:00", "16:00", "17:00"])],
)
async def test_ticks_that_were_missed_run_as_the_schedule_says(world: World, missed: str, expected: list[str]) -> None:
    await world.given(hourly(missedRuns=missed))

    await fire(world, at(17))

    assert await ticks(world) == expected
    assert (await world.engine.fire_due(at(17))).next_due == at(18)


async def test_an_outage_without_a_tick_on_time_after_it_runs_the_latest_one(world: World) -> None:
    await world.given(hourly("none", missedRuns="None"))
    await world.given(hourly("latest", missedRuns="Latest"))

    await fire(world, at(17, 30))

    assert [(run.workflow, run.phase) for run in await runs(world)] == [("latest", RunPhase.RUNNING)]
    assert await ticks(world) == ["17:00"]


async def test_a_schedule_ticks_in_its_time_zone(world: World) -> None:
    await world.given(one_node().with_schedule("at-two", "0 2 * * *", timeZone="Europe/Berlin"))
    assert (await fire(world, at(12))).next_due == at(1, day=11)


async def test_a_suspended_workflow_does_not_tick_and_makes_up_for_the_latest_when_it_goes_on(world: World) -> None:
    await world.given(hourly())
    await world.given(hourly().with_spec(suspend=True))
    assert await fire(world, at(16)) == Fired(Effects(), frozenset(), None)

    world.clock.now = at(16, 30)
    await world.given(hourly())
    await fire(world, at(16, 30))

    assert await ticks(world) == ["16:00"]


async def test_a_suspended_workspace_does_not_tick(world: World) -> None:
    await world.given(hourly())
    await world.given_workspace(suspended=True)
    assert await fire(world, at(16)) == Fired(Effects(), frozenset(), None)


async def test_a_tick_over_a_limit_makes_a_run_that_waits(world: World) -> None:
    await world.given_workspace(max_concurrent_runs=0)
    await world.given(hourly())

    await fire(world, at(13))

    assert [run.phase for run in await runs(world)] == [RunPhase.PENDING]


async def test_a_tick_that_is_refused_shows_why_and_the_schedule_goes_on(world: World) -> None:
    await world.given(hourly().with_input("day", required=True))

    await fire(world, at(13))

    view = await world.engine.workflows.schedules(world.ids["acme"], "acme", "nightly")
    assert (view.last_tick, view.next_tick) == (at(13), at(14))
    assert view.errors["hourly"].startswith("InvalidInputs: the workflow requires the input 'day'")
    assert await runs(world) == []


async def test_a_broken_schedule_does_not_disturb_the_others(world: World) -> None:
    broken = await world.given(hourly("broken"))
    await world.given(hourly("good"))
    await world.rows(
        "UPDATE headgate.workflow_schedules SET schedule = '{}' WHERE workflow_id = %s RETURNING 1", broken.workflow_id
    )

    await fire(world, at(13))

    assert [run.workflow for run in await runs(world)] == ["good"]


class TestASpecThatChanges:
    async def test_elsewhere_keeps_the_next_tick(self, world: World) -> None:
        await world.given(hourly())
        world.clock.now = at(13, 30)

        await world.given(hourly().with_node("more", after=["work"]))

        assert (await world.engine.workflows.schedules(world.ids["acme"], "acme", "nightly")).next_tick == at(13)

    async def test_in_the_schedule_ticks_first_after_now(self, world: World) -> None:
        await world.given(hourly())
        world.clock.now = at(13, 30)

        await world.given(a_workflow().with_schedule("hourly", "15 * * * *").with_node("work", after=["hourly"]))

        assert (await fire(world, at(13, 30))).next_due == at(14, 15)
        assert await runs(world) == []

    async def test_to_have_no_schedule_ticks_no_more(self, world: World) -> None:
        await world.given(hourly())
        await world.given(one_node())
        assert await fire(world, at(13)) == Fired(Effects(), frozenset(), None)

    async def test_to_have_two_ticks_on_both(self, world: World) -> None:
        await world.given(
            a_workflow()
            .with_schedule("even", "0 */2 * * *")
            .with_schedule("odd", "0 1-23/2 * * *")
            .with_node("work", after=["even", "odd"])
        )
        await fire(world, at(13))
        await fire(world, at(14))
        rows = await world.rows("SELECT trigger_node FROM headgate.workflow_executions ORDER BY started_at")
        assert [row["trigger_node"] for row in rows] == ["odd", "even"]
        assert len(await world.claim()) == 2


async def test_a_retired_workflow_ticks_no_more(world: World) -> None:
    await world.given(hourly())
    await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")
    assert await fire(world, at(13)) == Fired(Effects(), frozenset(), None)


async def test_schedules_of_all_workspaces_tick(world: World) -> None:
    await world.given_workspace("other")
    await world.given(hourly())
    await world.given(hourly(), "other")

    await fire(world, at(13))

    rows = await world.rows("SELECT workspace_id FROM headgate.workflow_executions")
    assert {row["workspace_id"] for row in rows} == set(world.ids.values())


async def test_a_schedule_fires_into_a_month_without_a_partition(world: World) -> None:
    await world.given(hourly())
    later = datetime(2031, 7, 1, tzinfo=UTC)
    assert len((await fire(world, later)).effects.runs) == 1
    assert later - (await runs(world))[0].started_at < timedelta(seconds=1)


class TestForbid:
    async def test_leaves_a_tick_out_while_a_run_of_the_schedule_has_not_ended(self, world: World) -> None:
        await world.given(hourly(concurrencyPolicy="Forbid"))
        await fire(world, at(13))
        [first] = await runs(world)

        fired = await fire(world, at(14))

        assert [run.run_id for run in await runs(world)] == [first.run_id]
        assert (fired.effects, fired.workflows) == (Effects(), frozenset({("acme", "nightly")}))
        view = await world.engine.workflows.schedules(world.ids["acme"], "acme", "nightly")
        assert view.errors["hourly"] == (
            f"ConcurrencyPolicy: the tick of 2026-03-10T14:00Z was left out, because run {first.run_id} of this "
            "schedule has not ended and concurrencyPolicy is Forbid"
        )

    async def test_lets_the_next_tick_run_once_the_run_has_ended(self, world: World) -> None:
        await world.given(hourly(concurrencyPolicy="Forbid"))
        await fire(world, at(13))
        await fire(world, at(14))
        [first] = await runs(world)
        await world.succeed(first.run_id)

        await fire(world, at(15))

        assert await ticks(world) == ["13:00", "15:00"]
        assert (await world.engine.workflows.schedules(world.ids["acme"], "acme", "nightly")).errors == {}

    async def test_counts_a_run_that_waits_for_room(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=0)
        await world.given(hourly(concurrencyPolicy="Forbid"))
        await fire(world, at(13))
        await fire(world, at(14))
        assert await ticks(world) == ["13:00"]

    async def test_runs_the_first_of_the_ticks_that_were_missed(self, world: World) -> None:
        await world.given(hourly(concurrencyPolicy="Forbid", missedRuns="All"))
        await fire(world, at(16))
        assert await ticks(world) == ["13:00"]

    async def test_does_not_mind_runs_that_another_trigger_started(self, world: World) -> None:
        await world.given(
            a_workflow()
            .with_schedule("hourly", "0 * * * *", concurrencyPolicy="Forbid")
            .with_schedule("other", "30 * * * *")
            .with_node("work", after=["hourly", "other", "by-hand"])
        )
        await world.admit()
        await fire(world, at(12, 30))
        await fire(world, at(13))
        assert len(await runs(world)) == 3


class TestReplace:
    async def test_cancels_the_earlier_run_and_starts_another(self, world: World) -> None:
        await world.given_workspace(max_concurrent_runs=1)
        await world.given(hourly(concurrencyPolicy="Replace"))
        await fire(world, at(13))
        [task] = await world.claim()

        fired = await fire(world, at(14))

        second, first = await runs(world)
        assert (first.phase, second.phase) == (RunPhase.CANCELLED, RunPhase.RUNNING)
        assert first.error_message == "replaced by the next tick of its schedule"
        assert fired.effects.cancelled == (task.ref,)
        assert {run.run_id for run in fired.effects.finished} == {first.run_id}
        assert (await world.usage())["running"] == 1

    async def test_cancels_all_runs_that_an_earlier_policy_let_start(self, world: World) -> None:
        await world.given(hourly())
        await fire(world, at(13))
        await fire(world, at(14))
        world.clock.now = at(14, 30)
        await world.given(hourly(concurrencyPolicy="Replace"))

        await fire(world, at(15))

        phases = [run.phase for run in await runs(world)]
        assert phases == [RunPhase.RUNNING, RunPhase.CANCELLED, RunPhase.CANCELLED]

    async def test_leaves_alone_what_has_ended_and_what_others_started(self, world: World) -> None:
        await world.given(
            a_workflow()
            .with_schedule("hourly", "0 * * * *", concurrencyPolicy="Replace")
            .with_node("work", after=["hourly", "by-hand"])
        )
        by_hand = await world.admit()
        await fire(world, at(13))
        [first] = [run for run in await runs(world) if run.run_id != by_hand]
        await world.succeed(first.run_id)

        await fire(world, at(14))

        assert await world.phase(first.run_id) is RunPhase.SUCCEEDED
        assert await world.phase(by_hand) is RunPhase.RUNNING

    async def test_leaves_one_run_when_many_replicas_fire_every_tick(self, world: World) -> None:
        await world.given(hourly(concurrencyPolicy="Replace"))
        replicas = [world.another_engine() for _ in range(4)]
        for hour in (13, 14, 15):
            world.clock.now = at(hour)
            await asyncio.gather(*(replica.fire_due(at(hour)) for replica in replicas))

        assert await ticks(world) == ["13:00", "14:00", "15:00"]
        phases = [run.phase for run in await runs(world)]
        assert phases == [RunPhase.RUNNING, RunPhase.CANCELLED, RunPhase.CANCELLED]

    async def test_runs_the_last_of_the_ticks_that_were_missed(self, world: World) -> None:
        await world.given(hourly(concurrencyPolicy="Replace", missedRuns="All"))
        await fire(world, at(16))
        assert await ticks(world) == ["16:00"]


async def test_no_more_missed_ticks_run_than_the_schedule_says(world: World) -> None:
    await world.given(
        a_workflow()
        .with_trigger("hourly", {"schedule": {"cron": "0 * * * *", "missedRuns": "All", "missedRunsLimit": 2}})
        .with_node("work", after=["hourly"])
    )
    await fire(world, at(17))
    assert await ticks(world) == ["16:00", "17:00"]
