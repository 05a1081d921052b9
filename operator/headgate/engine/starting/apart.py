"""How Test and Debug runs begin: with what an earlier run came to, with mocks, and without what they leave out."""

from __future__ import annotations

from uuid import UUID

from headgate.api.debugging import Debug, Mock
from headgate.api.node import Node, NodeType
from headgate.api.workflow_run import NodePhase
from headgate.domain.apart import MOCKED, PINNED, Impossible, Pin, beginning
from headgate.domain.graph import NodeState
from headgate.engine.bounds import OUTPUT_BYTES, check_json, clip
from headgate.engine.context import run_key
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.beginnings import Unready, branch_of
from headgate.engine.types import Refused
from headgate.store import run_facts
from headgate.store.database import Transaction
from headgate.store.records import StepRow

INVALID_DEBUG = "InvalidDebug"


async def begun(
    tx: Transaction, definition: Definition, debug: Debug, workspace_id: UUID
) -> tuple[StepRow, ...] | Refused:
    """What is recorded of the nodes that the run does not start with."""
    pins: dict[str, Pin] = {}
    if debug.pins_from is not None:
        found = await _pins(tx, definition, workspace_id, debug.pins_from)
        if found is None:
            return Refused(INVALID_DEBUG, f"the workflow has no run {debug.pins_from} to take outputs from")
        pins = found
    try:
        stands = beginning(definition.graph, debug, pins)
    except Impossible as problem:
        return Refused(INVALID_DEBUG, str(problem))
    mocks = {mock.node: mock for mock in debug.mocks}
    return (
        *(
            StepRow(node, 1, NodePhase.SUCCEEDED.value, pin.branch, PINNED, output=pin.output)
            for node, pin in stands.pinned.items()
        ),
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


def state_of(row: StepRow) -> NodeState:
    """The state that a row records."""
    return NodeState(NodePhase(row.phase), row.attempt, row.branch, row.reason, row.message)


async def _pins(tx: Transaction, definition: Definition, workspace_id: UUID, run: str) -> dict[str, Pin] | None:
    try:
        key = run_key(workspace_id, UUID(run))
    except ValueError:
        return None
    origin = await run_facts.origin(tx, key) if key is not None else None
    if key is None or origin is None or origin.workflow_id != definition.workflow_id:
        return None
    return {node: Pin(output, branch) for node, output, branch in await run_facts.succeeded(tx, key)}
