"""What the expressions of a run can read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.domain.graph import NodeState, phase_so_far
from headgate.engine.definitions.definition import Definition


def variables(
    definition: Definition,
    run_id: UUID,
    names: Iterable[str],
    known: tuple[Mapping[str, Any], Mapping[str, Any]],
    states: Mapping[str, NodeState],
    event: Mapping[str, Any] | None,
    *,
    final: bool,
    ends_as: RunPhase | None,
) -> dict[str, Any]:
    """The variables that every expression has, with the nodes ``names``; ``known`` are inputs and outputs.

    Those of a ``final`` node read how the run went, which is ``ends_as`` where it was asked to end.
    """
    inputs, outputs = known
    run = {"id": str(run_id), "workflow": definition.workflow}
    if final:
        run["phase"] = (ends_as or phase_so_far(definition.graph, states)).value
    return {
        "inputs": inputs,
        "nodes": {name: {"output": outputs.get(name), "phase": states[name].phase.value} for name in names},
        "run": run,
        "event": event,
    }
