"""Orders that someone should look at before the books are closed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from statistics import median

from orders import Order, accepted, finish

LARGE_QUANTITY = 20
HIGHEST_DISCOUNT_PERCENT = 25
PRICE_DEVIATION = Decimal("0.5")


def findings(orders: list[Order]) -> Iterator[dict[str, str]]:
    """What is odd, order by order."""
    prices: defaultdict[str, list[Decimal]] = defaultdict(list)
    for order in orders:
        prices[order.sku].append(order.unit_price)
    for order in orders:
        usual = median(prices[order.sku])
        if order.quantity >= LARGE_QUANTITY:
            yield {"order": order.id, "why": f"{order.quantity} of {order.sku} in one order"}
        if order.discount_percent > HIGHEST_DISCOUNT_PERCENT:
            yield {"order": order.id, "why": f"{order.discount_percent} % discount"}
        if abs(order.unit_price - usual) > usual * PRICE_DEVIATION:
            yield {"order": order.id, "why": f"{order.sku} for {order.unit_price} instead of {usual}"}


def main() -> None:
    """Look at every order of the month."""
    found = list(findings(accepted(os.environ["MONTH"])))
    finish({"count": len(found), "found": found[:20]})


main()
