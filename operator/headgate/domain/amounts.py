"""Amounts of compute, in the arithmetic and the spelling of Kubernetes quantities.

The rules are those of ``resource.Quantity`` in k8s.io/apimachinery: nothing finer than a billionth (finer is rounded
away from zero), nothing beyond 2^63-1 (capped), never a floating-point number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import cached_property, lru_cache, total_ordering

_NANOS = 10**9
_MILLI_IN_NANOS = 10**6
_LARGEST = (2**63 - 1) * _NANOS
_SYNTAX = re.compile(
    r"(?P<sign>[+-]?)(?=\.?\d)(?P<whole>\d*)(?:\.(?P<fraction>\d*))?"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE]?)|[eE](?P<exponent>[+-]?\d+))",
    re.ASCII,
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_BINARY = {suffix: 1024**power for power, suffix in enumerate(_BINARY_SUFFIX) if suffix}
_LONGEST = 64
_FAR = 99
"""A power of ten that no text of that length can bring back between the bounds; larger ones are never computed."""


class Form(Enum):
    """How an amount is spelt; an amount keeps the form in which it was written."""

    DECIMAL = "decimal"
    """With suffixes that are powers of 1000, such as ``500m`` and ``2k``."""
    BINARY = "binary"
    """With suffixes that are powers of 1024, such as ``1536Mi``."""
    EXPONENT = "exponent"
    """With a power of ten, such as ``1e3``."""


@total_ordering
@dataclass(frozen=True)
class Amount:
    """An exact amount. Amounts of the same value are equal whatever their form."""

    nanos: int
    """The value in billionths."""
    form: Form = field(default=Form.DECIMAL, compare=False)
    """How it is spelt."""

    @classmethod
    def parse(cls, text: str) -> Amount:
        """The amount that the text stands for; ValueError where it stands for none, or is longer than 64 characters."""
        if len(text) > _LONGEST:
            raise ValueError(f"{text[:_LONGEST]!r} is not a quantity such as 500m, 2 or 1Gi")
        return cls(*_read(text))

    @classmethod
    def of(cls, whole: int) -> Amount:
        """So many whole units."""
        return cls(_capped(whole * _NANOS))

    def canonical(self) -> str:
        """The amount as the API server spells it; it returns this text unchanged.

        No fraction, and the largest suffix that loses nothing. (Some other spellings, such as ``1.500`` and ``+1``, are
        returned unchanged by the API server too; those are never written here.)
        """
        if self.nanos == 0:
            return "0"
        if self.form is Form.BINARY and self.is_whole and abs(self.nanos) >= 1024 * _NANOS:
            mantissa, power = _without_factor(self.nanos // _NANOS, 1024)
            # Without a suffix it would be read as a decimal one, and come back as such: 15625000 as 15625k.
            if power:
                return f"{mantissa}{_BINARY_SUFFIX[power]}"
        mantissa, power = _without_factor(self.nanos, 10)
        surplus = power % 3
        mantissa, exponent = mantissa * 10**surplus, power - surplus - 9
        if self.form is Form.EXPONENT:
            return f"{mantissa}e{exponent}" if exponent else str(mantissa)
        return f"{mantissa}{_DECIMAL_SUFFIX[exponent]}"

    @cached_property
    def value(self) -> Decimal:
        """The amount as a number, exactly."""
        return Decimal(self.nanos).scaleb(-9)

    @property
    def is_whole(self) -> bool:
        """Whether it has no fraction."""
        return self.nanos % _NANOS == 0

    def in_resource_list(self) -> Amount:
        """The amount as the API server keeps it in quotas and limits: rounded away from zero to thousandths."""
        rounded = -(-abs(self.nanos) // _MILLI_IN_NANOS) * _MILLI_IN_NANOS
        return Amount(rounded if self.nanos > 0 else -rounded, self.form)

    def percent(self, share: int) -> Amount:
        """So many hundredths of the amount, rounded down to thousandths: parts never exceed the whole."""
        return Amount(self.nanos * share // 100 // _MILLI_IN_NANOS * _MILLI_IN_NANOS, self.form)

    def __add__(self, other: Amount) -> Amount:
        """The sum, capped; in the form of the first that is not zero."""
        return Amount(_capped(self.nanos + other.nanos), self.form if self.nanos else other.form)

    def __sub__(self, other: Amount) -> Amount:
        """The difference, capped; in the form of the first that is not zero."""
        return Amount(_capped(self.nanos - other.nanos), self.form if self.nanos else other.form)

    def remaining(self, used: Amount) -> Amount:
        """What is left of the amount after some of it was used, never less than nothing."""
        return Amount(max(0, (self - used).nanos), self.form)

    def __lt__(self, other: Amount) -> bool:
        return self.nanos < other.nanos

    def __str__(self) -> str:
        return self.canonical()


# A plan's few texts are read again for every Workspace on it: that was a tenth of the time of reconciling one.
@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[int, Form]:
    match = _SYNTAX.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 2 or 1Gi")
    fraction = match["fraction"] or ""
    digits = int((match["whole"] or "") + fraction)
    if match["exponent"] is not None:
        form, factor, power = Form.EXPONENT, 1, int(match["exponent"])
    elif match["suffix"] in _BINARY:
        form, factor, power = Form.BINARY, _BINARY[match["suffix"]], 0
    else:
        form, factor, power = Form.DECIMAL, 1, _DECIMAL[match["suffix"]]
    nanos = min(_shifted(digits * factor, power - len(fraction) + 9), _LARGEST)
    if form is Form.BINARY and nanos < _NANOS:
        form = Form.DECIMAL
    return -nanos if match["sign"] == "-" else nanos, form


def _capped(nanos: int) -> int:
    return max(-_LARGEST, min(nanos, _LARGEST))


def _shifted(digits: int, power: int) -> int:
    """``digits * 10**power``, rounded up."""
    if digits == 0:
        return 0
    factor: int = 10 ** min(abs(power), _FAR)
    return digits * factor if power >= 0 else -(-digits // factor)


def _without_factor(value: int, factor: int) -> tuple[int, int]:
    power = 0
    while value % factor == 0:
        value //= factor
        power += 1
    return value, power
