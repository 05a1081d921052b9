"""Nodes of workflows, as short as tests want them."""

from __future__ import annotations

from typing import Any

from headgate.api.node import Node
from headgate.api.workflow import WorkflowSpec


def a_trigger(name: str = "start") -> Node:
    return Node.model_validate({"id": name, "type": "trigger", "config": {"manual": {}}})


def an_action(name: str, *depends_on: str, final: bool = False, on_failure: str = "Fail", **container: Any) -> Node:
    config = {"container": {"image": "example.test/tool", **container}}
    body = {"id": name, "type": "action", "dependsOn": depends_on, "config": config}
    return Node.model_validate({**body, "final": final, "onFailure": on_failure})


def a_condition(name: str, *depends_on: str, expression: str = "true") -> Node:
    return Node.model_validate(
        {"id": name, "type": "condition", "dependsOn": depends_on, "config": {"expression": expression}}
    )


def a_spec(*nodes: Node, inputs: tuple[str, ...] = ()) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"inputs": [{"name": name} for name in inputs], "nodes": nodes})
