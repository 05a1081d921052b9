"""How a live object differs from the desired one, seen the way server-side apply sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.desired.keys import ChildKind

_IDENTITY = frozenset({"apiVersion", "kind", "metadata"})


def contains(live: object, desired: object) -> bool:
    """Whether all that is desired is there: mappings may hold more, lists hold the same number, values are equal."""
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and contains(live[key], value) for key, value in desired.items()
        )
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(contains(left, right) for left, right in zip(live, desired, strict=True))
        )
    return type(live) is type(desired) and live == desired


def apply_is_due(live: Mapping[str, Any], desired: Mapping[str, Any], kind: ChildKind) -> bool:
    """Whether applying the desired manifest would change the live object.

    The seal is among what is compared, so that a manifest of which only a field was dropped is applied as well.

    In sections that are exclusively ours a list is compared as a whole: all of them are atomic there, so that applying
    takes away what others put into one. What others added to a mapping is not the concern of an apply: see
    `foreign_fields`.
    """
    for part in ("labels", "annotations"):
        if not contains(live["metadata"].get(part) or {}, desired["metadata"].get(part) or {}):
            return True
    return any(
        not (_owned(live.get(section), value) if section in kind.exclusive else contains(live.get(section), value))
        for section, value in desired.items()
        if section not in _IDENTITY
    )


def foreign_fields(live: Mapping[str, Any], desired: Mapping[str, Any], kind: ChildKind) -> dict[str, Any]:
    """A merge patch that removes what others added to the exclusive sections; empty when they added nothing."""
    return _nulls(
        {section: live[section] for section in kind.exclusive if section in live},
        {section: desired[section] for section in kind.exclusive if section in desired},
    )


def _owned(live: object, desired: object) -> bool:
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and _owned(live[key], value) for key, value in desired.items()
        )
    return type(live) is type(desired) and live == desired


def _nulls(live: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for key, value in live.items():
        if key not in desired:
            patch[key] = None
        elif isinstance(value, Mapping) and isinstance(desired[key], Mapping):
            inner = _nulls(value, desired[key])
            if inner:
                patch[key] = inner
    return patch
