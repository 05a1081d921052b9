"""What can be said of a workflow's triggers without waiting for them."""

from __future__ import annotations

from headgate.api.node import Node
from headgate.api.workflow import WorkflowSpec


def problem(name: str, spec: WorkflowSpec) -> str | None:
    """What is wrong with the events and webhooks of the workflow of that name, or None when they are good.

    A loop over several workflows is not found here: no one of them knows it, and runs stop at a depth.
    """
    for node in spec.nodes:
        if node.config.event is not None and node.config.event.workflow == name:
            return (
                f"node {node.id}: the event names this workflow itself, so that each run would set off the next one; "
                "name another workflow, or use a schedule"
            )
        if (found := _unfit(node, spec)) is not None:
            return f"node {node.id}: {found}"
    return None


def _unfit(node: Node, spec: WorkflowSpec) -> str | None:
    """What is wrong with the inputs that a webhook gives."""
    webhook = node.config.webhook
    if webhook is None:
        return None
    declared = {item.name for item in spec.inputs}
    if unknown := sorted(webhook.inputs.keys() - declared):
        return f"there is no input {unknown[0]}: declare it in spec.inputs"
    required = [item.name for item in spec.inputs if item.required and item.default is None]
    if missing := [name for name in required if name not in webhook.inputs]:
        return f"the input {missing[0]} is required: give it a value in config.webhook.inputs, or a default"
    return None
