"""The month's revenue by country, the largest first."""

from __future__ import annotations

import os
from collections import defaultdict
from decimal import Decimal

from orders import Order, accepted, finish, whole_euros


def main() -> None:
    """Add up every country."""
    by_country: defaultdict[str, list[Order]] = defaultdict(list)
    for order in accepted(os.environ["MONTH"]):
        by_country[order.country].append(order)
    countries = [
        {
            "country": country,
            "orders": len(orders),
            "customers": len({order.customer for order in orders}),
            "revenue_eur": whole_euros(sum((order.revenue for order in orders), Decimal(0))),
        }
        for country, orders in by_country.items()
    ]
    finish({"countries": sorted(countries, key=lambda found: -int(found["revenue_eur"]))})


main()
