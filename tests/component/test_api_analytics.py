"""What runs cost and how they fare, as the API tells it."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.budget import Budget
from headgate.api.members import Role
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.priced import PRICES, priced, work
from tests.component.world import World, one_node


@pytest.fixture
async def api(world: World) -> Any:
    """One replica of the gateway, with prices."""
    await priced(world).given_workspace(budget=Budget(monthly="10"))
    async with replica(world, world.engine, ApiServer(), Ticking()) as made:
        yield made


async def answered(api: Api, path: str, **params: Any) -> dict[str, Any]:
    answer = await api.request("GET", f"/api/v1/workspaces/acme{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_run_and_the_month_tell_what_they_cost(world: World, api: Api) -> None:
    await world.given(one_node())
    run = await world.admit(labels={"team": "shop"})
    assert (await answered(api, f"/runs/{run}"))["cost"] is None
    await work(world, run)
    await world.engine.analytics.fold()

    told = await answered(api, f"/runs/{run}")
    [node] = told["nodes"]
    assert (told["cost"], node["cost"], node["priceVersion"]) == ("0.001", "0.001", PRICES.version)
    used = await answered(api, "/usage")
    assert (used["spentThisMonth"], used["budget"]) == ("0.001", "10")
    span = {"since": "2026-03-01", "until": "2026-03-31"}
    [day] = (await answered(api, "/cost", **span))["items"]
    assert day == {"name": "2026-03-10", "namespace": None, "cost": "0.001", "use": None}
    by_label = await answered(api, "/cost", by="label", label="team", **span)
    assert (by_label["total"], by_label["items"][0]["name"], by_label["nextCursor"]) == ("0.001", "shop", None)


async def test_analytics_tell_totals_days_and_slow_nodes(world: World, api: Api) -> None:
    await world.given(one_node())
    await work(world, await world.admit(), seconds=60)
    await world.engine.analytics.fold()

    told = await answered(api, "/analytics", since="2026-03-01", until="2026-03-10", workflow="nightly")
    assert (told["total"], told["successRate"], told["averageDurationMs"], told["healthScore"]) == (1, 1.0, 60_000, 100)
    assert [day["day"] for day in told["days"]] == ["2026-03-10"]
    assert [(node["node"], node["averageDurationMs"]) for node in told["slowestNodes"]] == [("work", 60_000)]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/analytics?since=2026-01-01&until=2026-04-01", 422, "ask for 1 to 90"),
        ("/analytics?since=2026-03-02&until=2026-03-01", 422, "ask for 1 to 90"),
        ("/analytics?until=0001-01-01", 422, "ask for 1 to 90"),
        ("/analytics?workflow=absent", 404, "no such workflow"),
        ("/cost?by=label", 422, "name the key of a label"),
        ("/cost?label=team", 422, "name the key of a label"),
        ("/cost?by=everything", 422, "by"),
        ("/cost?cursor=%00", 422, "the cursor is not one"),
    ],
)
async def test_what_cannot_be_answered_says_why(api: Api, path: str, status: int, says: str) -> None:
    answer = await api.request("GET", f"/api/v1/workspaces/acme{path}")
    assert answer.status_code == status
    assert says in answer.text


async def test_another_workspaces_money_is_nobodys_business(world: World, api: Api) -> None:
    await world.given_workspace("other")
    key = (await api.issue("other", Role.OWNER)).text
    for path in ("/cost", "/analytics"):
        assert (await api.request("GET", f"/api/v1/workspaces/acme{path}", token=key)).status_code in (403, 404)
