"""A world in which compute has a price."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.domain.amounts import Amount
from headgate.domain.cost import Footprint
from headgate.domain.prices import PriceTable, parse_prices
from headgate.engine.engine import Engine
from headgate.engine.reading.analytics import AnalyticsView
from headgate.engine.types import Effects, Outcome
from tests.component.world import KEYS, World

PRICES = parse_prices('{"CPU": "0.036", "RAM": "0.0072"}')
ONE_CPU = Footprint(Amount.of(1))
"""Costs a hundred-thousandth a second."""
TODAY = date(2026, 3, 10)


def priced(world: World, prices: PriceTable | None = PRICES) -> World:
    """The same world, whose engine has that price table from now on."""
    world.engine = Engine(world.database, world.expressions, clock=world.clock, keys=KEYS, prices=prices)
    return world


async def work(
    world: World, run: UUID, node: str = "work", *, seconds: float = 100, held: Footprint | None = ONE_CPU, **how: Any
) -> Effects:
    """Let an attempt run for so long and then end, well unless ``how`` says otherwise."""
    attempt = how.pop("attempt", 1)
    workspace = how.pop("workspace", "acme")
    ref = world.ref(run, node, attempt, workspace)
    began = world.clock.now
    await world.engine.mark_running(ref, began, held)
    world.clock.now = began + timedelta(seconds=seconds)
    outcome = Outcome(**{"succeeded": True, "started_at": began, "finished_at": world.clock.now, **how})
    return await world.engine.complete(ref, outcome)


async def folded(world: World, workspace: str = "acme") -> AnalyticsView:
    """What the day amounts to, once all that ended is added up."""
    while await world.engine.analytics.fold():
        pass
    view = await world.engine.analytics.view(world.ids[workspace], TODAY, TODAY)
    assert view is not None
    return view


def money(amount: Decimal | None) -> str | None:
    """As it would be written."""
    return None if amount is None else f"{amount.normalize():f}"
