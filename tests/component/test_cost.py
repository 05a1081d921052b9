"""What attempts and runs cost."""

from __future__ import annotations

from datetime import timedelta

from headgate.api.debugging import RunMode
from headgate.domain.amounts import Amount
from headgate.domain.measured import Measured
from headgate.domain.prices import parse_prices
from headgate.engine.types import Outcome
from tests.builders import a_workflow
from tests.component.priced import ONE_CPU, PRICES, TODAY, folded, money, priced, work
from tests.component.world import World, one_node


async def test_an_attempt_costs_what_it_held_for_as_long_as_it_took(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await work(world, run, seconds=1800)

    view = await world.view(run)
    assert money(view.cost) == "0.018"
    assert (money(view.nodes[0].cost), view.nodes[0].price_version) == ("0.018", PRICES.version)


async def test_attempts_that_failed_cost_too(world: World) -> None:
    await priced(world).given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()
    await work(world, run, succeeded=False, reason="ExitCode")
    await work(world, run, attempt=2)

    assert money((await world.view(run)).cost) == "0.002"
    assert money((await world.view(run)).nodes[0].cost) == "0.001"


async def test_what_was_cut_short_costs_what_it_took_until_then(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await world.engine.mark_running(world.ref(run, "work"), world.clock.now, ONE_CPU)
    world.clock.advance(seconds=50)
    await world.engine.control.cancel(world.ids["acme"], run, "enough")

    assert money((await world.view(run)).cost) == "0.0005"


async def test_an_attempt_that_was_never_seen_to_run_costs_what_its_end_tells(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    began = world.clock.now
    ended = began + timedelta(seconds=10)
    await world.engine.complete(
        world.ref(run, "work"), Outcome(succeeded=True, started_at=began, finished_at=ended, footprint=ONE_CPU)
    )
    assert money((await world.view(run)).cost) == "0.0001"


async def test_without_a_price_table_the_cost_is_unknown_rather_than_nothing(world: World) -> None:
    await priced(world, None).given(one_node())
    run = await world.admit()
    await work(world, run)

    view = await world.view(run)
    assert (view.cost, view.nodes[0].cost, view.nodes[0].price_version) == (None, None, None)
    await world.engine.analytics.fold()
    assert (await world.engine.analytics.costs(world.ids["acme"], "day", TODAY, TODAY)).total is None


async def test_an_attempt_keeps_the_price_at_which_it_began(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await world.engine.mark_running(world.ref(run, "work"), world.clock.now, ONE_CPU)
    priced(world, parse_prices('{"CPU": 9, "RAM": 9}'))
    world.clock.advance(seconds=100)
    await world.engine.complete(world.ref(run, "work"), Outcome(succeeded=True, footprint=ONE_CPU))

    view = await world.view(run)
    assert (money(view.cost), view.nodes[0].price_version) == ("0.001", PRICES.version)


async def test_a_test_run_costs_nobody_anything(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit(mode=RunMode.TEST)
    await work(world, run)

    assert (await world.view(run)).cost is None
    await world.engine.analytics.fold()
    assert (await world.engine.analytics.costs(world.ids["acme"], "day", TODAY, TODAY)).total is None
    assert (await world.usage())["spent"] == 0


async def test_what_was_used_is_paid_for_where_it_is_more_than_was_requested(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    used = Measured(Amount.of(2), Amount.of(2**30))

    await work(world, run, seconds=1800, footprint=ONE_CPU, used=used)

    # Two CPUs, and a GiB that it did not ask for.
    assert money((await world.view(run)).cost) == "0.0396"
    [row] = await world.rows("SELECT cpu_used, memory_used FROM headgate.workflow_execution_steps")
    assert (row["cpu_used"], row["memory_used"]) == (2, 2**30)


async def test_what_was_requested_is_paid_for_where_less_was_used(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    used = Measured(Amount.parse("1m"), Amount.of(0))

    await work(world, run, seconds=1800, footprint=ONE_CPU, used=used)

    assert money((await world.view(run)).cost) == "0.018"


async def test_what_was_used_is_never_paid_for_by_other_prices_than_those_at_the_begin(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await world.engine.mark_running(world.ref(run, "work"), world.clock.now, ONE_CPU)
    used = Measured(Amount.of(2), Amount.of(0))

    priced(world, parse_prices('{"CPU": "100", "RAM": "100"}'))
    await work(world, run, seconds=1800, footprint=ONE_CPU, used=used)

    view = await world.view(run)
    assert (money(view.cost), view.nodes[0].price_version) == ("0.018", PRICES.version)


async def test_the_attempt_that_used_more_is_paid_for_in_the_budget_and_the_analytics_too(world: World) -> None:
    await priced(world).given(one_node())
    used = Measured(Amount.of(3), Amount.of(0))

    await work(world, await world.admit(), seconds=1800, footprint=ONE_CPU, used=used)

    assert money((await world.usage())["spent"]) == "0.054"
    assert money((await folded(world)).cost) == "0.054"


async def test_what_is_told_a_second_time_is_not_paid_a_second_time(world: World) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await work(world, run)
    await world.engine.complete(world.ref(run, "work"), Outcome(succeeded=True, footprint=ONE_CPU))

    assert money((await world.view(run)).cost) == "0.001"
    assert money((await world.usage())["spent"]) == "0.001"


async def test_costs_add_up_by_workflow_label_and_day(world: World) -> None:
    await priced(world).given(one_node())
    await world.given(a_workflow("hourly").with_node("a").with_node("b", after=["a"]))
    await work(world, await world.admit(labels={"team": "shop"}))
    await work(world, await world.admit(labels={"team": "bank"}), seconds=300)
    run = await world.admit("hourly", labels={"team": "shop", "kind": "report"})
    await work(world, run, "a")
    await work(world, run, "b")
    await world.engine.analytics.fold()

    async def costs(by: str, label: str = "") -> dict[str, str | None]:
        page = await world.engine.analytics.costs(world.ids["acme"], by, TODAY, TODAY, label=label)
        assert money(page.total) == "0.006"
        return {item.name: money(item.cost) for item in page.items}

    assert await costs("day") == {"2026-03-10": "0.006"}
    assert await costs("workflow") == {"hourly": "0.002", "nightly": "0.004"}
    assert await costs("label", "team") == {"bank": "0.003", "shop": "0.003"}
    assert await costs("label", "kind") == {"report": "0.002"}


async def test_costs_are_read_page_by_page(world: World) -> None:
    await priced(world).given(one_node())
    for team in ("a", "b", "c"):
        await work(world, await world.admit(labels={"team": team}))
    await world.engine.analytics.fold()

    seen: list[str] = []
    cursor: str | None = None
    for _ in range(2):
        page = await world.engine.analytics.costs(
            world.ids["acme"], "label", TODAY, TODAY, label="team", cursor=cursor, limit=2
        )
        seen += [item.name for item in page.items]
        cursor = page.next_cursor
    assert (seen, cursor) == (["a", "b", "c"], None)


async def test_each_price_table_is_kept_with_the_time_from_which_it_counts(world: World) -> None:
    dearer = parse_prices('{"CPU": "0.1", "RAM": "0.2"}')
    for table in (PRICES, PRICES, dearer, PRICES):
        world.clock.advance(hours=1)
        await priced(world, table).engine.analytics.keep_prices()

    rows = await world.rows("SELECT version, prices FROM headgate.price_tables ORDER BY valid_from")
    assert [row["version"] for row in rows] == [PRICES.version, dearer.version, PRICES.version]
    assert rows[1]["prices"] == {"CPU": "0.1", "RAM": "0.2"}


async def test_an_attempt_in_a_runner_costs_what_the_runner_requests_for_as_long_as_it_has_it(world: World) -> None:
    script = {"script": {"language": "shell", "source": "true"}}
    await priced(world).given(a_workflow("nightly").with_node("a", script))
    run = await world.admit()
    lease = timedelta(minutes=5)
    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", run, "pod-1", lease)
    assert task is not None
    world.clock.advance(seconds=200)
    await world.engine.runner_tasks.complete(task.ref, "acme", Outcome(succeeded=True), "pod-1", lease)

    # 50m of a CPU and an eighth of a GiB, for 200 seconds.
    assert money((await world.view(run)).cost) == "0.00015"
