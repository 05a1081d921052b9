"""Where the revenue went missing: countries that sold less than in the month before."""

from __future__ import annotations

import os
from collections import Counter

from orders import accepted, finish


def month_before(month: str) -> str:
    """The month before ``YYYY-MM``."""
    year, number = (int(part) for part in month.split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"


def revenue(month: str) -> Counter[str]:
    """Whole euros by country."""
    cents: Counter[str] = Counter()
    for order in accepted(month):
        cents[order.country] += int(order.revenue * 100)
    return Counter({country: amount // 100 for country, amount in cents.items()})


def main() -> None:
    """Compare the month with the one before it."""
    month = os.environ["MONTH"]
    now, before = revenue(month), revenue(month_before(month))
    lost = {country: before[country] - now[country] for country in before if before[country] > now[country]}
    worst = sorted(lost, key=lambda country: -lost[country])
    finish(
        {
            "missing_eur": int(os.environ["MISSING"]),
            "compared_with": month_before(month),
            "lost_eur": {country: lost[country] for country in worst},
            "ask": worst[0] if worst else None,
        }
    )


main()
