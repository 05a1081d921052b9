"""What a node begins with: values of expressions turned into a branch, a list, or work for somebody. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from headgate.api.node import Node, NodeConfig
from headgate.domain import images, templates
from headgate.domain.spread import MOST_ITEMS
from headgate.domain.templating import rendered
from headgate.engine.bounds import BRANCH_CHARACTERS, VALUE_BYTES, check_json

KINDS = {
    "container": "job",
    "script": "runner",
    "http": "runner",
    "sql": "runner",
    "connector": "runner",
    "workflow": "call",
    "approval": "approval",
}
"""Who does what a member of a config asks for."""


INVALID_EXPRESSION = "InvalidExpression"
INVALID_IMAGE = "InvalidImage"


class Unready(Exception):  # noqa: N818 - a state of the node, not a mistake of ours
    """A node whose expressions, or what they gave, are wrong; the message is for the workflow's author."""

    def __init__(self, message: str, reason: str = INVALID_EXPRESSION) -> None:
        super().__init__(message)
        self.reason = reason


def branch_of(node: Node, value: Any) -> str:
    """The branch that a condition takes. Raises ``Unready``."""
    expression = node.config.expression or ""
    check_value(node, expression, value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and len(value) <= BRANCH_CHARACTERS:
        return value
    kind = f"a text of {len(value)} characters" if isinstance(value, str) else type(value).__name__
    raise Unready(
        f"node {node.id}: expression {expression!r} must give true, false or a branch name of at most "
        f"{BRANCH_CHARACTERS} characters; it gave {kind}"
    )


def list_of(node: Node, expression: str, value: Any) -> list[Any]:
    """The items that a node is to run for. Raises ``Unready``."""
    check_value(node, expression, value)
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        kind = f"one of {len(value)}" if isinstance(value, list) else type(value).__name__
        raise Unready(f"node {node.id}: {expression!r} must give a list of at most {MOST_ITEMS} items; it gave {kind}")
    return value


def work_of(node: Node, config: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Who does the node's work, and its config with the values in their places. Raises ``Unready``.

    ``config`` is in the form that Kubernetes stores.
    """
    (member,) = config
    if values:
        for expression, value in values.items():
            check_value(node, expression, value)
        try:
            changed = rendered(config, values)
            _check_image(node, changed)
            config = NodeConfig.model_validate(changed).to_wire()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise Unready(f"node {node.id}: {where} with its expressions replaced: {first['msg']}") from None
    return KINDS[member], config


def _check_image(node: Node, config: Mapping[str, Any]) -> None:
    """Raise ``Unready`` where values have made something else of a container's image."""
    if "container" in config and (problem := images.problem(config["container"]["image"])) is not None:
        raise Unready(f"node {node.id}: {problem}", INVALID_IMAGE)


def memo_key(node: Node, values: Mapping[str, Any]) -> str | None:
    """Under which key the node's output is remembered: a hash of what it does and of what it says it depends on."""
    if node.memoize is None:
        return None
    depends = [node.config.to_wire(), templates.render(node.memoize.key, values)]
    if node.config.container is not None and templates.OPEN in node.config.container.image:
        # What another image gave is none of its outputs, whatever the key says.
        depends.append(templates.render(node.config.container.image, values))
    content = json.dumps(depends, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def check_value(node: Node, expression: str, value: Any) -> None:
    """Raise ``Unready`` when a value could not be stored."""
    try:
        check_json(value, VALUE_BYTES, "its value")
    except ValueError as error:
        raise Unready(f"node {node.id}: expression {expression!r}: {error}") from None
