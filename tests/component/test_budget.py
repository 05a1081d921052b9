"""Budgets: from when on no run starts any more, and until when."""

from __future__ import annotations

import asyncio

from headgate.api.budget import Budget, OnBudgetExceeded
from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import RunPhase
from headgate.engine.types import Admitted
from tests.component.priced import money, priced, work
from tests.component.world import World, one_node

STOP = Budget(monthly="0.002", on_exceeded=OnBudgetExceeded.STOP)


async def spent(world: World) -> str | None:
    [usage] = await world.engine.workspaces.usage()
    return money(usage.spent)


async def test_no_run_starts_once_the_budget_is_spent_until_the_month_ends(world: World) -> None:
    await world.given_workspace(budget=STOP)
    await priced(world).given(one_node())
    await work(world, await world.admit())
    await work(world, await world.admit())

    run = await world.admit()
    [waiting] = (await world.view(run)).waiting
    assert (waiting.reason, str(waiting.until)) == ("Budget", "2026-04-01 00:00:00+00:00")

    world.clock.now = world.clock.now.replace(month=4, day=1)
    await world.engine.start_all_pending()
    assert await world.phase(run) is RunPhase.RUNNING
    assert await spent(world) == "0"


async def test_a_plan_that_rejects_refuses_then(world: World) -> None:
    await world.given_workspace(budget=STOP, on_exceeded=OnExceeded.REJECT)
    await priced(world).given(one_node())
    await work(world, await world.admit(), seconds=200)

    refused = await world.refused()
    assert (refused.reason, str(refused.until)) == ("Budget", "2026-04-01 00:00:00+00:00")
    assert "raise spec.budget.monthly" in refused.message


async def test_a_budget_that_only_warns_stops_nothing(world: World) -> None:
    await world.given_workspace(budget=Budget(monthly="0.002"))
    await priced(world).given(one_node())
    await work(world, await world.admit(), seconds=200)
    assert await world.phase(await world.admit()) is RunPhase.RUNNING


async def test_a_higher_budget_lets_what_waited_start(world: World) -> None:
    await world.given_workspace(budget=STOP)
    await priced(world).given(one_node())
    await work(world, await world.admit(), seconds=200)
    run = await world.admit()
    assert await world.phase(run) is RunPhase.PENDING

    await world.given_workspace(budget=Budget(monthly="0.003", on_exceeded=OnBudgetExceeded.STOP))
    await world.engine.start_pending(world.ids["acme"])
    assert await world.phase(run) is RunPhase.RUNNING


async def test_one_workspaces_spending_stops_no_other(world: World) -> None:
    await world.given_workspace(budget=STOP)
    await world.given_workspace("other", budget=STOP)
    await priced(world).given(one_node())
    await world.given(one_node(), "other")
    await work(world, await world.admit(), seconds=200)
    assert await world.phase(await world.admit(workspace="other"), "other") is RunPhase.RUNNING


async def test_spending_is_exact_while_attempts_end_and_runs_start_at_once(world: World) -> None:
    await world.given_workspace(budget=Budget(monthly="0.02", on_exceeded=OnBudgetExceeded.STOP))
    await priced(world).given(one_node())
    runs = [await world.admit() for _ in range(20)]
    began = world.clock.now

    async def one(run: object) -> None:
        world.clock.now = began
        await work(world, run)  # type: ignore[arg-type]

    requests = [world.request() for _ in range(20)]
    answers = await asyncio.gather(*(one(run) for run in runs), *(world.engine.admit(item) for item in requests))
    assert await spent(world) == "0.02"
    for answer in answers[20:]:
        assert isinstance(answer, tuple)
        assert isinstance(answer[0], Admitted)
    late = await world.admit()
    assert (await world.view(late)).waiting[0].reason in ("Budget", "Queued")
