"""What a request for a run has to fulfil by itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.api.inputs import Input
from headgate.domain.graph import Graph
from headgate.engine.bounds import INPUTS_BYTES, check_json
from headgate.engine.types import Refused, RunRequest, TriggerKind

INVALID_INPUTS = "InvalidInputs"
INVALID_TRIGGER = "InvalidTrigger"


def resolve_inputs(declared: tuple[Input, ...], given: Mapping[str, Any]) -> dict[str, Any] | Refused:
    """The values of all declared inputs, defaults included; None for an optional one that was not given."""
    names = {item.name for item in declared}
    unknown = sorted(set(given) - names)
    if unknown:
        known = ", ".join(sorted(names)) or "none"
        return Refused(INVALID_INPUTS, f"the workflow has no input {unknown[0]!r}; its inputs are: {known}")
    required = [item.name for item in declared if item.required and item.default is None]
    missing = [name for name in required if given.get(name) is None]
    if missing:
        return Refused(INVALID_INPUTS, f"the workflow requires the input {missing[0]!r}; give it a value")
    values = {item.name: given.get(item.name, item.default) for item in declared}
    try:
        check_json(values, INPUTS_BYTES, "inputs")
    except ValueError as error:
        return Refused(INVALID_INPUTS, str(error))
    return values


def choose_trigger(graph: Graph, request: RunRequest) -> str | Refused:
    """The trigger node that the request fires."""
    triggers = {node.id: node for node in graph.triggers()}
    if request.trigger is not None:
        node = triggers.get(request.trigger)
        if node is None:
            known = ", ".join(triggers) or "none"
            return Refused(INVALID_TRIGGER, f"the workflow has no trigger {request.trigger!r}; it has: {known}")
        if request.kind is TriggerKind.RESOURCE and request.replay_of is None and node.config.manual is None:
            return Refused(INVALID_TRIGGER, f"trigger {request.trigger!r} is not a manual one")
        return request.trigger
    manual = next((node.id for node in triggers.values() if node.config.manual is not None), None)
    if manual is None:
        return Refused(INVALID_TRIGGER, "the workflow has no manual trigger; add one: config: {manual: {}}")
    return manual
