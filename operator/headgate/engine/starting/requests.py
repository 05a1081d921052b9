"""What a request for a run has to fulfil by itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.api.inputs import Input
from headgate.domain.apart import contradiction
from headgate.domain.graph import Graph
from headgate.domain.input_schemas import WORK, InputSchema
from headgate.domain.labels import LabelsInvalid, check_labels
from headgate.engine.bounds import DEBUG_BYTES, INPUTS_BYTES, check_json
from headgate.engine.types import Refused, RunRequest, TriggerKind

INVALID_INPUTS = "InvalidInputs"
INVALID_TRIGGER = "InvalidTrigger"
INVALID_LABELS = "InvalidLabels"
INVALID_DEBUG = "InvalidDebug"
TOO_DEEP = "TooDeep"
MAX_DEPTH = 8
"""How many times in a row a run may call, or set off, another one."""


def too_deep(request: RunRequest) -> Refused | None:
    """Refuses the run that would be one too many in a row: workflows that set each other off would never end."""
    if request.depth <= MAX_DEPTH:
        return None
    return Refused(
        TOO_DEEP,
        f"runs called, or set off, each other {MAX_DEPTH} times in a row, and this would be once more: look for "
        "workflows that call each other, or that start at each other's end",
    )


def unfit_labels(request: RunRequest) -> Refused | None:
    """Refuses labels that cannot be kept."""
    try:
        check_labels(request.labels)
    except LabelsInvalid as error:
        return Refused(INVALID_LABELS, str(error))
    return None


def unfit_debug(request: RunRequest) -> Refused | None:
    """Refuses what a Test or Debug run cannot be told, by whichever way it is asked for."""
    if request.debug is None:
        return None
    problem = contradiction(request.mode, request.debug)
    try:
        check_json(request.debug.to_wire(), DEBUG_BYTES, "debug")
    except ValueError as error:
        problem = problem or str(error)
    return Refused(INVALID_DEBUG, problem) if problem is not None else None


def resolve_inputs(
    declared: tuple[Input, ...], schemas: Mapping[str, InputSchema], given: Mapping[str, Any]
) -> dict[str, Any] | Refused:
    """The values of all declared inputs, defaults included; None for an optional one that was not given.

    What is given must fit the input's schema; a default was held against it when the workflow was accepted.
    """
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
    return _unfit({name: values[name] for name in schemas if given.get(name) is not None}, schemas) or values


def _unfit(values: Mapping[str, Any], schemas: Mapping[str, InputSchema]) -> Refused | None:
    if sum(schemas[name].work(value) for name, value in values.items()) > WORK and len(values) > 1:
        return Refused(INVALID_INPUTS, "the inputs are together too large for their schemas; give them smaller values")
    for name, value in values.items():
        if (problem := schemas[name].problem(value)) is not None:
            message = f"input {name!r}: {problem}; give it a value that fits the schema that the workflow has for it"
            return Refused(INVALID_INPUTS, message)
    return None


def choose_trigger(graph: Graph, request: RunRequest) -> str | Refused:
    """The trigger node that the request fires."""
    triggers = {node.id: node for node in graph.triggers}
    if request.trigger is not None:
        node = triggers.get(request.trigger)
        if node is None:
            known = ", ".join(triggers) or "none"
            return Refused(INVALID_TRIGGER, f"the workflow has no trigger {request.trigger!r}; it has: {known}")
        by_somebody = request.kind in (TriggerKind.RESOURCE, TriggerKind.API)
        if by_somebody and request.replay_of is None and node.config.manual is None:
            return Refused(INVALID_TRIGGER, f"trigger {request.trigger!r} is not a manual one")
        was = {
            TriggerKind.EVENT: ("an event", node.config.event),
            TriggerKind.WEBHOOK: ("a webhook", node.config.webhook),
        }
        if request.kind in was and was[request.kind][1] is None:
            return Refused(INVALID_TRIGGER, f"trigger {request.trigger!r} is not {was[request.kind][0]} any more")
        return request.trigger
    manual = next((node.id for node in triggers.values() if node.config.manual is not None), None)
    if manual is None:
        return Refused(INVALID_TRIGGER, "the workflow has no manual trigger; add one: config: {manual: {}}")
    return manual
