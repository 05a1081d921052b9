"""What stepping a run has to look up: inputs, outputs, the items of a list, and remembered outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.debugging import NodePin
from headgate.domain.apart import Pin
from headgate.engine.context import run_key
from headgate.store import memos, pins, run_facts
from headgate.store.database import Transaction
from headgate.store.records import RunKey


@dataclass(frozen=True)
class Remembered:
    """An earlier output."""

    output: Any


@dataclass
class Facts:
    """Reads in the transaction that steps the run; each thing at most once where that is likely to be asked again."""

    tx: Transaction
    key: RunKey
    workflow_id: UUID
    inputs: Mapping[str, Any] | None = None
    """The inputs, where they are at hand."""
    event: Mapping[str, Any] | None = None
    """The end of another run that set this one off: known once the inputs are."""
    recorded: bool = True
    """Whether anything of the run's steps is in the database yet."""
    fresh: dict[str, Any] = field(default_factory=dict)
    """Outputs by node, or by the name of an item, that are at hand: the transaction has not written all of them yet."""

    async def known(self, nodes: frozenset[str]) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """The run's inputs, and the outputs of the nodes that have one."""
        outputs = {name: self.fresh[name] for name in nodes & self.fresh.keys()}
        if self.inputs is None or (self.recorded and len(outputs) < len(nodes)):
            self.inputs, recorded, self.event = await run_facts.facts(self.tx, self.key, nodes)
            outputs = recorded | outputs
        return self.inputs, outputs

    async def items(self, node: str) -> list[Any]:
        """The items that the node is being run for."""
        return await run_facts.items(self.tx, self.key, node)

    async def results(self, node: str, count: int) -> list[Any]:
        """The outputs for all items, in order; None for those that have none."""
        recorded = await run_facts.results(self.tx, self.key, node) if self.recorded else {}
        names = [f"{node}.{index}" for index in range(count)]
        return [self.fresh.get(name, recorded.get(name)) for name in names]

    async def remembered(self, node: str, digest: str, since: datetime) -> Remembered | None:
        """The output that was remembered under that key since then."""
        row = await memos.find(self.tx, self.key.workspace_id, self.workflow_id, node, digest, since)
        return None if row is None else Remembered(row.output)

    async def pinned(self, pin: NodePin) -> Pin | None:
        """What a node came to in the run that it is pinned to; None where that is not kept any more."""
        key = run_key(self.key.workspace_id, UUID(pin.run))
        if key is None:
            return None
        found = await pins.pinned(self.tx, self.key.workspace_id, self.workflow_id, {pin.node: key})
        row = found.get(pin.node)
        return Pin(row.output, row.branch) if row is not None and row.succeeded else None
