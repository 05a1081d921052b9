"""How Test and Debug runs begin: with what an earlier run came to, with mocks, and without what they leave out."""

from __future__ import annotations

from uuid import UUID

from headgate.api.debugging import Debug, Mock, NodePin
from headgate.api.node import Node, NodeType
from headgate.api.workflow_run import NodePhase
from headgate.domain.apart import (
    MOCKED,
    PINNED,
    Impossible,
    Pin,
    beginning,
    check,
    no_run_to_pin,
    no_success_to_pin,
)
from headgate.domain.graph import NodeState
from headgate.engine.bounds import OUTPUT_BYTES, check_json, clip
from headgate.engine.context import run_key
from headgate.engine.definitions.definition import Definition
from headgate.engine.starting.requests import INVALID_DEBUG
from headgate.engine.steps.beginnings import Unready, branch_of
from headgate.engine.types import Refused
from headgate.store import pins as pin_rows
from headgate.store import run_facts
from headgate.store.database import Transaction
from headgate.store.records import RunKey, StepRow


async def begun(
    tx: Transaction, definition: Definition, debug: Debug, workspace_id: UUID
) -> tuple[StepRow, ...] | Refused:
    """What is recorded of the nodes that the run does not start with."""
    try:
        check(definition.graph, debug)
        pins = await _pins_from(tx, definition, workspace_id, debug.pins_from)
        pins |= await _pins(tx, definition, workspace_id, debug.pins)
        stands = beginning(definition.graph, debug, pins)
    except Impossible as problem:
        return Refused(INVALID_DEBUG, str(problem))
    mocks = {mock.node: mock for mock in debug.mocks}
    return (
        *(pinned(node, pin) for node, pin in stands.pinned.items()),
        *(mocked(definition.graph.by_id[node], mocks[node]) for node in stands.mocked),
        *(StepRow(node, 0, NodePhase.SKIPPED.value, reason=reason) for node, reason in stands.skipped.items()),
    )


def mocked(node: Node, mock: Mock) -> StepRow:
    """The node as its mock has it."""
    if mock.failure is not None:
        return StepRow(node.id, 1, NodePhase.FAILED.value, None, MOCKED, clip(mock.failure))
    try:
        check_json(mock.output, OUTPUT_BYTES, "the mock's output")
        branch = branch_of(node, mock.output) if node.type is NodeType.CONDITION else None
    except (Unready, ValueError) as problem:
        return StepRow(node.id, 1, NodePhase.FAILED.value, None, MOCKED, clip(str(problem)))
    return StepRow(node.id, 1, NodePhase.SUCCEEDED.value, branch, MOCKED, output=mock.output)


def pinned(node: str, pin: Pin) -> StepRow:
    """The node as it was in an earlier run."""
    return StepRow(node, 1, NodePhase.SUCCEEDED.value, pin.branch, PINNED, output=pin.output)


def state_of(row: StepRow) -> NodeState:
    """The state that a row records."""
    return NodeState(NodePhase(row.phase), row.attempt, row.branch, row.reason, row.message)


async def _pins_from(tx: Transaction, definition: Definition, workspace_id: UUID, run: str | None) -> dict[str, Pin]:
    """All that succeeded in the run. Raises ``Impossible`` where there is none."""
    if run is None:
        return {}
    key = _key(workspace_id, run)
    origin = await run_facts.origin(tx, key) if key is not None else None
    if key is None or origin is None or origin.workflow_id != definition.workflow_id:
        raise Impossible(f"the workflow has no run {run} to take outputs from")
    return {node: Pin(output, branch) for node, output, branch in await run_facts.succeeded(tx, key)}


async def _pins(
    tx: Transaction, definition: Definition, workspace_id: UUID, pins: tuple[NodePin, ...]
) -> dict[str, Pin]:
    """What single nodes came to. Raises ``Impossible`` where one did not succeed in its run."""
    keys = {pin.node: _key(workspace_id, pin.run) for pin in pins}
    known = {node: key for node, key in keys.items() if key is not None}
    rows = await pin_rows.pinned(tx, workspace_id, definition.workflow_id, known) if known else {}
    found = {}
    for pin in pins:
        row = rows.get(pin.node)
        if row is None:
            raise Impossible(no_run_to_pin(pin))
        if not row.succeeded:
            raise Impossible(no_success_to_pin(pin))
        found[pin.node] = Pin(row.output, row.branch)
    return found


def _key(workspace_id: UUID, run: str) -> RunKey | None:
    try:
        return run_key(workspace_id, UUID(run))
    except ValueError:
        return None
