"""Which ResourceQuota each namespace may have right now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from headgate.domain.amounts import Amount
from headgate.domain.grants import NOTHING, Holding, granted

if TYPE_CHECKING:
    from collections.abc import Iterable

Amounts: TypeAlias = Mapping[str, Amount]
"""Amounts by name of the resource."""


@dataclass(frozen=True)
class Standing:
    """What a namespace's ResourceQuota says now."""

    hard: Amounts = field(default_factory=dict)
    """The limits in force."""
    used: Amounts = field(default_factory=dict)
    """What is used, as far as the cluster has counted it."""


@dataclass(frozen=True)
class Allotment:
    """The limits of the namespaces of one workspace."""

    hard: Mapping[str, Amounts]
    """By namespace: what may be in force now."""
    short: Mapping[str, Amounts]
    """By namespace: what it is to have beyond that, once others have let go of it."""


def lowering(wanted: Mapping[str, Amounts], standing: Mapping[str, Standing]) -> dict[str, dict[str, Amount]]:
    """The limits, by namespace, that have to come down before any other may go up. Only namespaces that change."""
    lowered: dict[str, dict[str, Amount]] = {}
    for namespace, now in standing.items():
        amounts = wanted.get(namespace, {})
        after = {name: _holding(amounts, now, name).lowered for name in amounts}
        if any(name not in now.hard or now.hard[name] > limit for name, limit in after.items()):
            lowered[namespace] = after
    return lowered


def allot(
    totals: Amounts,
    wanted: Mapping[str, Amounts],
    standing: Mapping[str, Standing],
    others: Iterable[Standing] = (),
) -> Allotment:
    """Limits that can never be used beyond the totals, given that what `lowering` asks for has been done.

    ``wanted`` are the limits by namespace, ``standing`` what its ResourceQuota says where it has one, and ``others``
    what namespaces of other workspaces hold of the same totals.
    """
    held = tuple(others)
    hard: dict[str, dict[str, Amount]] = {namespace: {} for namespace in wanted}
    short: dict[str, dict[str, Amount]] = {}
    for name, total in totals.items():
        free = total
        for other in held:
            free = free.remaining(max(other.hard.get(name, NOTHING), other.used.get(name, NOTHING)))
        holdings = {
            namespace: _holding(amounts, standing.get(namespace), name)
            for namespace, amounts in wanted.items()
            if name in amounts
        }
        for namespace, limit in granted(free, holdings).items():
            hard[namespace][name] = limit
            if limit < wanted[namespace][name]:
                short.setdefault(namespace, {})[name] = wanted[namespace][name].remaining(limit)
    return Allotment(hard, short)


def _holding(wanted: Amounts, now: Standing | None, name: str) -> Holding:
    if now is None:
        return Holding(wanted[name])
    return Holding(wanted[name], now.hard.get(name), now.used.get(name, NOTHING))
