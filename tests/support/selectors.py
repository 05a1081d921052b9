"""Which labels a label selector of Kubernetes chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is chosen."""
    pairs: Mapping[str, str] = selector.get("matchLabels") or {}
    wanted: list[Mapping[str, Any]] = selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in pairs.items()) and all(_holds(one, labels) for one in wanted)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(expression["operator"])
