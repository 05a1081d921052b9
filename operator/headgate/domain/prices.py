"""Price tables: what an hour of compute costs, under the keys of OpenCost's custom pricing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

CHARGED = ("CPU", "RAM", "GPU")
"""Prices of what containers request: a vCPU-hour, a GiB-hour, a GPU-hour."""
PRICES = (
    *CHARGED,
    "spotCPU",
    "spotRAM",
    "spotGPU",
    "storage",
    "zoneNetworkEgress",
    "regionNetworkEgress",
    "internetNetworkEgress",
)
"""Keys with an amount."""
TEXTS = ("provider", "description", "currencyCode", "spotLabel", "spotLabelValue")
"""Keys with a text."""
_LARGEST = Decimal(10) ** 9
_FINEST = -12
_VERSION_LENGTH = 16


class PricesInvalid(ValueError):  # noqa: N818 - what is wrong with a setting
    """A price table that cannot be used as it is written; the message says what to change."""


@dataclass(frozen=True)
class PriceTable:
    """Prices, and the name of their content."""

    version: str
    """The same prices have the same one, wherever they are read: the beginning of the SHA-256 of their content."""
    prices: Mapping[str, Decimal]
    texts: Mapping[str, str]

    def price(self, key: str, *, spot: bool) -> Decimal:
        """What a unit costs for an hour, on a spot node where it has a price of its own there; 0 where it has none."""
        own = self.prices.get(f"spot{key}") if spot else None
        return own if own is not None else self.prices.get(key, Decimal(0))

    def is_spot(self, selector: Mapping[str, str]) -> bool:
        """Whether a pod that asks for such nodes gets spot ones."""
        label, value = self.texts.get("spotLabel"), self.texts.get("spotLabelValue")
        return bool(label) and selector.get(label or "") == value

    def content(self) -> dict[str, str]:
        """All of it, as it is kept."""
        return {**{key: _plain(price) for key, price in self.prices.items()}, **self.texts}


def parse_prices(text: str) -> PriceTable:
    """The table of a JSON object with OpenCost's keys, amounts as strings or numbers. Raises ``PricesInvalid``."""
    try:
        found = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError) as error:
        raise PricesInvalid(f"the price table is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise PricesInvalid('the price table has to be a JSON object, such as {"CPU": "0.031611", "RAM": "0.004237"}')
    unknown = sorted(found.keys() - {*PRICES, *TEXTS})
    if unknown:
        raise PricesInvalid(f"the price table has no key {unknown[0]!r}: write one of {', '.join((*PRICES, *TEXTS))}")
    for key in ("CPU", "RAM"):
        if key not in found:
            raise PricesInvalid(f"the price table lacks {key!r}, the price of {_UNITS[key]} for an hour")
    prices = {key: _amount(key, found[key]) for key in PRICES if key in found}
    texts = {key: _text(key, found[key]) for key in TEXTS if key in found}
    if ("spotLabel" in texts) != ("spotLabelValue" in texts):
        raise PricesInvalid("the price table has one of spotLabel and spotLabelValue: write both, or none")
    content = {**{key: _plain(price) for key, price in prices.items()}, **texts}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return PriceTable(digest[:_VERSION_LENGTH], MappingProxyType(prices), MappingProxyType(texts))


_UNITS: Mapping[str, str] = MappingProxyType({"CPU": "a vCPU", "RAM": "a GiB of memory"})


def _amount(key: str, value: Any) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, str | Decimal) else None
    except ArithmeticError:
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount <= _LARGEST:
        raise PricesInvalid(f"{key} of the price table: write an amount from 0 to {_LARGEST:,}, such as 0.031611")
    amount = amount.normalize()
    if int(amount.as_tuple().exponent) < _FINEST:
        raise PricesInvalid(f"{key} of the price table: write {-_FINEST} digits after the point at most")
    return amount


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 256 or "\0" in value:  # noqa: PLR2004 - said in the message
        raise PricesInvalid(f"{key} of the price table: write a text of 256 characters at most")
    return value


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"
