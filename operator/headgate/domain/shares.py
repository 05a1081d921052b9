"""How the compute of a workspace is divided among its namespaces."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from headgate.domain.amounts import Amount, Form

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = 10**9
_THOUSANDTH = 10**6
_HUNDRED = 100
_FINE_ENOUGH = 1000
"""A unit is fine enough when the total has so many of it: no part is then off by more than a thousandth."""

_CPU = ("cpu", "requests.cpu", "limits.cpu")
_BYTES = ("memory", "storage")


def split(totals: Mapping[str, Amount], shares: Mapping[str, int | None]) -> dict[str, dict[str, Amount]]:
    """Each namespace's part of every total, by namespace and resource.

    ``shares`` are percents by namespace, in order; those that are None split the rest evenly. For every resource the
    parts add up to exactly the percents' sum of the total, rounded down to a unit of that resource, and so never to
    more than the total; with all of the 100 percent given out, to the total itself wherever the total is a whole number
    of units. What rounding leaves over goes to the first namespaces, one unit each. What is counted is split in whole
    numbers.
    """
    weights = weigh(shares)
    # The same in whole numbers, which are many times faster: of `whole` each gets so many.
    common = lcm(*(weight.denominator for weight in weights.values()))
    pieces, whole = {name: int(weight * common) for name, weight in weights.items()}, common * _HUNDRED
    parts: dict[str, dict[str, Amount]] = {namespace: {} for namespace in shares}
    for resource, total in totals.items():
        for namespace, part in _divide(total, _unit(resource, total), pieces, whole).items():
            parts[namespace][resource] = part
    return parts


def part_of(totals: Mapping[str, Amount], shares: Mapping[str, int | None], name: str) -> dict[str, Amount]:
    """The part of every total that one holder gets; nothing where it is none of them."""
    parts = split(totals, shares).get(name)
    return {resource: Amount(0, total.form) for resource, total in totals.items()} if parts is None else parts


def weigh(shares: Mapping[str, int | None]) -> dict[str, Fraction]:
    """Each namespace's percent, exactly. Where more than 100 percent are given out, all are scaled down to 100."""
    given = sum(share for share in shares.values() if share is not None)
    silent = sum(1 for share in shares.values() if share is None)
    rest = Fraction(max(0, _HUNDRED - given), silent) if silent else Fraction(0)
    scale = Fraction(_HUNDRED, given) if given > _HUNDRED else Fraction(1)
    return {namespace: rest if share is None else share * scale for namespace, share in shares.items()}


def _divide(total: Amount, unit: int, pieces: Mapping[str, int], whole: int) -> dict[str, Amount]:
    units = max(0, total.nanos) // unit
    parts = {namespace: units * some // whole for namespace, some in pieces.items()}
    left = units * sum(pieces.values()) // whole - sum(parts.values())
    for namespace in [name for name, some in pieces.items() if some > 0][:left]:
        parts[namespace] += 1
    return {namespace: Amount(part * unit, total.form) for namespace, part in parts.items()}


def _unit(resource: str, total: Amount) -> int:
    """The step, in billionths, in which the resource is given out: as round as it can be and still fine enough."""
    if resource in _CPU:
        return _THOUSANDTH
    if not is_bytes(resource):
        return _WHOLE
    base = 1024 if total.form is Form.BINARY else 1000
    steps = (base**power * _WHOLE for power in (4, 3, 2, 1))
    return next((step for step in steps if total.nanos % step == 0 and total.nanos >= step * _FINE_ENOUGH), _WHOLE)


def is_bytes(resource: str) -> bool:
    """Whether a ResourceQuota measures the resource in bytes."""
    return resource.rpartition(".")[2].rpartition("-")[2] in _BYTES or "hugepages-" in resource


def is_counted(resource: str) -> bool:
    """Whether a ResourceQuota counts the resource in whole numbers: anything but CPU and bytes."""
    return resource not in _CPU and not is_bytes(resource)
