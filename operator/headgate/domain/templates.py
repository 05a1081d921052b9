"""``${{ expression }}`` inside strings: finding the expressions, and putting values in their place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from headgate.domain.lexer import Kind, tokens

OPEN = "${{"
_CLOSE = "}}"


def expressions(tree: Any) -> Iterator[str]:
    """Every expression in the strings of a JSON value, in order; one that occurs twice comes twice."""
    for text in _strings(tree):
        for _, _, expression in _placeholders(text):
            yield expression


def unclosed(tree: Any) -> Iterator[str]:
    """What follows every ``${{`` that no ``}}`` closes, in the strings of a JSON value."""
    for text in _strings(tree):
        end = max((end for _, end, _ in _placeholders(text)), default=0)
        if (start := text.find(OPEN, end)) >= 0:
            yield text[start:]


def render(tree: Any, values: Mapping[str, Any]) -> Any:
    """``tree`` with every expression replaced by its value from ``values``.

    Values become text: strings as they are, everything else as compact JSON. Keys of maps stay as they are. Raises
    ``KeyError`` for an expression that ``values`` lacks.
    """
    if isinstance(tree, str):
        return _render(tree, values)
    if isinstance(tree, Mapping):
        return {key: render(value, values) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [render(value, values) for value in tree]
    return tree


def substitute(tree: Any, values: Mapping[str, Any]) -> Any:
    """As ``render``, but a string that is one expression and nothing else becomes the value itself."""
    if isinstance(tree, str):
        whole = next(_placeholders(tree), None)
        return values[whole[2]] if whole is not None and whole[:2] == (0, len(tree)) else _render(tree, values)
    if isinstance(tree, Mapping):
        return {key: substitute(value, values) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [substitute(value, values) for value in tree]
    return tree


def as_text(value: Any) -> str:
    """A value inside a string: strings as they are, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _render(text: str, values: Mapping[str, Any]) -> str:
    parts: list[str] = []
    done = 0
    for start, end, expression in _placeholders(text):
        parts += [text[done:start], as_text(values[expression])]
        done = end
    return "".join([*parts, text[done:]])


def _strings(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _strings(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _strings(value)


def _placeholders(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and expression of each placeholder, up to the first that is not closed."""
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        begin = start + len(OPEN)
        end = _closing(text, begin)
        if end is None:
            return
        position = end + len(_CLOSE)
        yield start, position, text[begin:end].strip()


def _closing(text: str, begin: int) -> int | None:
    """Where the ``}}`` stands that ends the expression: after the braces of its maps, and outside of its strings."""
    depth = 0
    for token in tokens(text, begin):
        if token.kind is not Kind.OTHER:
            continue
        if token.text == "{":
            depth += 1
        elif token.text == "}" and depth > 0:
            depth -= 1
        elif token.text == "}":
            return token.start if text.startswith(_CLOSE, token.start) else None
    return None
