"""How many of the month's orders can be used, and why the others cannot."""

from __future__ import annotations

import os
from collections import Counter

from orders import Order, finish, read, rows


def main() -> None:
    """Check every row of the month."""
    month = os.environ["MONTH"]
    seen: set[str] = set()
    rejected: Counter[str] = Counter()
    for row in rows(month):
        order = read(row)
        if not isinstance(order, Order):
            rejected[order] += 1
        elif order.id in seen:
            rejected["exported twice"] += 1
        else:
            seen.add(order.id)
    finish({"month": month, "accepted": len(seen), "rejected": rejected.total(), "reasons": dict(rejected)})


main()
