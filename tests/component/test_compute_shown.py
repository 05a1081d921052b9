"""What attempts requested, and were measured to use: shown with them, for as long as they are there."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.api.debugging import RunMode
from headgate.domain.amounts import Amount
from headgate.domain.cost import Footprint
from headgate.domain.measured import Measured
from headgate.engine.types import ComputeView, Outcome
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.archived import Archive
from tests.component.priced import priced, work
from tests.component.world import World, one_node

HELD = Footprint(Amount.parse("250m"), Amount.parse("256Mi"))
USED = Measured(Amount.parse("123456789n"), Amount.of(80 * 2**20))
REQUESTED = {"cpu": "0.25", "memoryBytes": 256 * 2**20}


async def shown(api: Api, run: UUID) -> tuple[Any, Any]:
    [node] = (await api.get(f"/runs/{run}"))["nodes"]
    return node["requested"], node["used"]


async def test_what_was_requested_and_what_was_used_stand_side_by_side(world: World, api: Api) -> None:
    await priced(world).given(one_node())
    run = await world.admit()
    await work(world, run, held=HELD, footprint=HELD, used=USED)

    assert await shown(api, run) == (REQUESTED, {"cpu": "0.123456789", "memoryBytes": 80 * 2**20})


async def test_what_was_not_measured_is_null_and_never_nothing(world: World, api: Api) -> None:
    await world.given(one_node())
    run = await world.admit()
    assert await shown(api, run) == (None, None)

    await world.engine.mark_running(world.ref(run, "work"), world.clock.now, HELD)
    assert await shown(api, run) == (REQUESTED, None), "it is known while it runs, and without a price table"
    await world.succeed(run)
    assert await shown(api, run) == (REQUESTED, None)


async def test_of_an_attempt_that_was_never_seen_to_run_its_end_tells(world: World, api: Api) -> None:
    await world.given(one_node())
    run = await world.admit()

    await world.engine.complete(world.ref(run, "work"), Outcome(succeeded=False, footprint=HELD))

    assert await shown(api, run) == (REQUESTED, None)


async def test_the_attempt_is_the_one_that_the_node_tells_of(world: World, api: Api) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()
    await work(world, run, held=HELD, footprint=HELD, used=USED, succeeded=False, reason="ExitCode")

    assert await shown(api, run) == (None, None), "the second one has not begun"
    await work(world, run, attempt=2, held=Footprint(Amount.of(1), Amount.of(5)))
    assert await shown(api, run) == ({"cpu": "1", "memoryBytes": 5}, None)


async def test_in_a_runner_it_is_what_the_runner_requests(world: World) -> None:
    await world.given(a_workflow().with_node("work", {"http": {"url": "https://example.com"}}))
    run = await world.admit()
    lease = timedelta(seconds=15)
    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", run, "pod-1", lease)
    assert task is not None

    await world.engine.runner_tasks.complete(task.ref, "acme", Outcome(succeeded=True), "pod-1", lease)

    [node] = (await world.view(run)).nodes
    assert (node.requested, node.used) == (ComputeView(Decimal("0.05"), Decimal(128 * 2**20)), None)


async def test_the_archive_keeps_both(world: World) -> None:
    await world.given(one_node())
    archive = Archive(world)
    run = await world.admit()
    await work(world, run, held=HELD, footprint=HELD, used=USED)
    before = (await world.view(run)).nodes

    await archive.round(days=91)

    after = await archive.engine.run_view(world.ids["acme"], run)
    assert after is not None
    assert (after.archived, after.nodes) == (True, before)
    assert before[0].used is not None


async def costs(world: World, api: Api, **query: str) -> Any:
    while await world.engine.analytics.fold():
        pass
    return await api.get("/cost", params={"since": "2026-03-01", "until": "2026-03-31", **query})


async def test_costs_tell_what_was_used_of_what_those_attempts_requested(world: World, api: Api) -> None:
    await priced(world).given(one_node())
    for used in (USED, None, Measured(Amount.of(2), Amount.of(2**30))):
        run = await world.admit(labels={"team": "shop"})
        await work(world, run, seconds=1800, held=HELD, footprint=HELD, used=used)

    measured = {
        "attempts": 2,
        "cpuHoursRequested": "0.25",
        "cpuHoursUsed": "1.061728",
        "memoryGibHoursRequested": "0.25",
        "memoryGibHoursUsed": "0.539062",
    }
    by_day, by_workflow = await costs(world, api), await costs(world, api, by="workflow")
    assert [by_day["use"], by_day["items"][0]["use"], by_workflow["items"][0]["use"]] == [measured] * 3
    assert (await api.get("/usage"))["usedThisMonth"] == measured
    by_label = await costs(world, api, by="label", label="team")
    assert (by_label["use"], by_label["items"][0]["use"]) == (measured, None)


async def test_days_add_up_whenever_they_are_folded(world: World, api: Api) -> None:
    await priced(world).given(one_node())
    told = []
    for _ in range(2):
        await work(world, await world.admit(), seconds=1800, held=HELD, footprint=HELD, used=USED)
        told.append((await costs(world, api))["use"])

    assert [(use["attempts"], use["cpuHoursRequested"]) for use in told] == [(1, "0.125"), (2, "0.25")]


async def test_a_new_month_has_used_nothing_yet(world: World, api: Api) -> None:
    await priced(world).given(one_node())
    await work(world, await world.admit(), held=HELD, footprint=HELD, used=USED)
    await costs(world, api)
    api.token = ""

    world.clock.advance(days=31)

    assert (await api.get("/usage"))["usedThisMonth"] is None


async def test_without_a_measurement_costs_tell_of_no_use(world: World, api: Api) -> None:
    await priced(world).given(one_node())
    await work(world, await world.admit(), held=HELD, footprint=HELD)

    found = await costs(world, api)
    assert (found["use"], [item["use"] for item in found["items"]]) == (None, [None])
    assert (await api.get("/usage"))["usedThisMonth"] is None
    assert found["total"] is not None


async def test_of_a_test_run_nothing_is_added_up(world: World, api: Api) -> None:
    await priced(world).given(one_node())
    await work(world, await world.admit(mode=RunMode.TEST), held=HELD, footprint=HELD, used=USED)

    assert (await costs(world, api))["use"] is None
