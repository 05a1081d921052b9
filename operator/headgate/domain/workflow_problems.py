"""What is wrong with a Workflow that its schema let through: a reason, and a message that says what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.domain import input_schemas, schedule, triggers
from headgate.domain.reasons import Reason

if TYPE_CHECKING:
    from headgate.api.workflow import WorkflowSpec


def problem_of_workflow(name: str, spec: WorkflowSpec) -> tuple[str, str] | None:
    """Reason and message of the first of all; None where there is nothing wrong."""
    return schedule_problem(spec) or trigger_problem(name, spec) or input_problem(spec)


def schedule_problem(spec: WorkflowSpec) -> tuple[str, str] | None:
    """Reason and message of the first schedule that cannot work."""
    for node in spec.nodes:
        if node.config.schedule is not None and (problem := schedule.validate(node.config.schedule)) is not None:
            return Reason.INVALID_SCHEDULE, f"node {node.id}: {problem}"
    return None


def trigger_problem(name: str, spec: WorkflowSpec) -> tuple[str, str] | None:
    """Reason and message of the first event that cannot start the workflow."""
    problem = triggers.problem(name, spec)
    return None if problem is None else (Reason.INVALID_TRIGGER, problem)


def input_problem(spec: WorkflowSpec) -> tuple[str, str] | None:
    """Reason and message of the first input whose schema cannot be used."""
    for declared in spec.inputs:
        if (problem := input_schemas.problem(declared)) is not None:
            return Reason.INVALID_INPUT_SCHEMA, problem
    return None
