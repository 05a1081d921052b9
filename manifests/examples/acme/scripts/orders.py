"""Reads a shop's export of orders, and tells good rows from bad ones."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

COUNTRIES = ("AT", "CH", "DE", "DK", "FR", "IT", "NL")


@dataclass(frozen=True)
class Order:
    """One accepted order."""

    id: str
    customer: str
    country: str
    sku: str
    quantity: int
    unit_price: Decimal
    discount_percent: int

    @property
    def revenue(self) -> Decimal:
        """What the customer pays, in euros."""
        return self.quantity * self.unit_price * (100 - self.discount_percent) / 100


def rows(month: str) -> Iterator[dict[str, str]]:
    """The rows of a month, ``YYYY-MM``, as they are in the export."""
    with (Path(os.environ.get("DATA", "/data")) / "orders.csv").open(newline="", encoding="utf-8") as export:
        for row in csv.DictReader(export):
            if row["placed_at"].startswith(f"{month}-"):
                yield row


def read(row: dict[str, str]) -> Order | str:
    """The order of a row, or what is wrong with it."""
    if row["country"] not in COUNTRIES:
        return "no country" if not row["country"] else "unknown country"
    if int(row["quantity"]) < 1:
        return "no quantity"
    try:
        price = Decimal(row["unit_price_eur"])
    except InvalidOperation:
        return "no price"
    return Order(
        id=row["order_id"],
        customer=row["customer_id"],
        country=row["country"],
        sku=row["sku"],
        quantity=int(row["quantity"]),
        unit_price=price,
        discount_percent=int(row["discount_percent"]),
    )


def accepted(month: str) -> list[Order]:
    """The good orders of a month, each once, in the order of the export."""
    found: dict[str, Order] = {}
    for row in rows(month):
        order = read(row)
        if isinstance(order, Order):
            found.setdefault(order.id, order)
    return list(found.values())


def whole_euros(amount: Decimal) -> int:
    """An amount without cents."""
    return int(amount.to_integral_value())


def finish(result: dict[str, Any]) -> None:
    """Hand the result to the nodes that follow, and show it in the log."""
    Path(os.environ["HEADGATE_OUTPUT"]).write_text(json.dumps(result, separators=(",", ":")), encoding="utf-8")
    print(json.dumps(result, indent=2))
