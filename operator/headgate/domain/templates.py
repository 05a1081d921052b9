"""``${{ expression }}`` inside strings: finding the expressions, and putting values in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def expressions(tree: Any) -> Iterator[str]:
    """Every expression in the strings of a JSON value, in order; one that occurs twice comes twice."""
    if isinstance(tree, str):
        for match in _EXPRESSION.finditer(tree):
            yield match.group(1).strip()
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from expressions(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from expressions(value)


def render(tree: Any, values: Mapping[str, Any]) -> Any:
    """``tree`` with every expression replaced by its value from ``values``.

    Values become text: strings as they are, everything else as compact JSON. Raises ``KeyError`` for an expression that
    ``values`` lacks.
    """
    if isinstance(tree, str):
        return _EXPRESSION.sub(lambda match: as_text(values[match.group(1).strip()]), tree)
    if isinstance(tree, Mapping):
        return {key: render(value, values) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [render(value, values) for value in tree]
    return tree


def as_text(value: Any) -> str:
    """A value inside a string: strings as they are, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
