"""The month's products by revenue, the best first."""

from __future__ import annotations

import os
from collections import Counter
from decimal import Decimal

from orders import accepted, finish, whole_euros


def main() -> None:
    """Add up every product."""
    revenue: Counter[str] = Counter()
    units: Counter[str] = Counter()
    cents = Decimal(100)
    for order in accepted(os.environ["MONTH"]):
        revenue[order.sku] += int(order.revenue * cents)
        units[order.sku] += order.quantity
    finish(
        {
            "products": [
                {"sku": sku, "units": units[sku], "revenue_eur": whole_euros(amount / cents)}
                for sku, amount in revenue.most_common()
            ]
        }
    )


main()
