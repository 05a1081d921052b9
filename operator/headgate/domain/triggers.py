"""What can be said of a workflow's triggers without waiting for them."""

from __future__ import annotations

from headgate.api.workflow import WorkflowSpec


def problem(name: str, spec: WorkflowSpec) -> str | None:
    """What is wrong with the event triggers of the workflow of that name, or None when they are good.

    A loop over several workflows is not found here: no one of them knows it, and runs stop at a depth.
    """
    for node in spec.nodes:
        if node.config.event is not None and node.config.event.workflow == name:
            return (
                f"node {node.id}: the event names this workflow itself, so that each run would set off the next one; "
                "name another workflow, or use a schedule"
            )
    return None
