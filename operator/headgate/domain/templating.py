"""Which parts of a node's config hold ``${{ expression }}``, and a config with values in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from headgate.domain import templates

_TEMPLATED: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "container": (("image",), ("command",), ("args",), ("env", "value")),
        "script": (("env", "value"),),
        "http": (("url",), ("headers", "value"), ("body",)),
        "sql": (("parameters", "value"),),
        "connector": (
            ("http", "url"),
            ("http", "headers", "value"),
            ("http", "body"),
            ("postgres", "parameters", "value"),
            ("s3", "get", "key"),
            ("s3", "put", "key"),
            ("s3", "put", "content"),
            ("s3", "list", "prefix"),
            ("s3", "delete", "key"),
            ("smtp", "to"),
            ("smtp", "cc"),
            ("smtp", "subject"),
            ("smtp", "text"),
            ("slack", "text"),
            ("git", "read", "paths"),
            ("git", "push", "message"),
            ("git", "push", "files", "path"),
            ("git", "push", "files", "content"),
            ("kafka", "produce", "records", "key"),
            ("kafka", "produce", "records", "value"),
        ),
        "workflow": (("inputs",),),
        "approval": (("message",),),
    }
)
"""Of each member of a config, the paths of what is replaced; lists on the way are gone through.

What would become code is not among them: the source of a script, and the text of a statement. Nor are names of
Secrets, credentials and workflows, of which it must be plain what a workflow uses, and what is one of few words.
Nothing of a copy is either, which has to be the same in every run.
"""
_LITERAL = frozenset({("script", "source")})
"""Where ``${{`` may be meant as it is: in Python ``f"${{{price}}}"`` is a price in dollars."""
_CEL = frozenset({"expression", "transform", "webhook"})
"""What holds expressions itself, without braces around them."""
_BY_PARAMETERS = frozenset({("sql", "query"), ("connector", "postgres", "query")})


def templated(config: Mapping[str, Any]) -> list[Any]:
    """The parts of a config, in the form that Kubernetes stores, in which expressions are replaced."""
    found: list[Any] = []

    def collect(part: Any) -> Any:
        found.append(part)
        return part

    for member, path in _paths(config):
        _changed(config[member], path, collect)
    return found


def rendered(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every expression replaced by its value. Raises ``KeyError`` for one that ``values`` lacks.

    A string that is one expression and nothing else becomes that value where any JSON may stand, as in the inputs of
    another workflow; anywhere else values become text.
    """
    result = dict(config)
    for member, path in _paths(config):
        put = partial(templates.substitute if member == "workflow" else templates.render, values=values)
        result[member] = _changed(result[member], path, put)
    return result


def misplaced(config: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with each string of a config that has ``${{`` where nothing is replaced, and how to mend it."""
    for member, content in config.items():
        if member in _CEL:
            continue
        taken = _TEMPLATED.get(member, ())
        for path, text in _texts(content, ()):
            place = (member, *path)
            is_taken = any(path[: len(each)] == each for each in taken) or place in _LITERAL
            if not is_taken and templates.OPEN in text:
                instead = "pass the value by parameters" if place in _BY_PARAMETERS else "write the value itself"
                yield f"expressions are not taken in config.{'.'.join(place)}: {instead}"


def _texts(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _texts(value, (*path, name))
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _texts(value, path)


def _paths(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for member, paths in _TEMPLATED.items():
        if member in config:
            for path in paths:
                yield member, path


def _changed(tree: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(tree)
    if isinstance(tree, list):
        return [_changed(item, path, change) for item in tree]
    first, *rest = path
    if not isinstance(tree, Mapping) or first not in tree:
        return tree
    return {**tree, first: _changed(tree[first], tuple(rest), change)}
