"""A node that runs once for every item of a list: which items start next, and when it has ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from headgate.api.node import Node, OnFailure
from headgate.api.workflow_run import NodePhase
from headgate.domain.graph import NodeState

MOST_ITEMS = 1000
_MARK = "."
_FAILED = frozenset({NodePhase.FAILED, NodePhase.CANCELLED})


def item_name(node: str, index: int) -> str:
    """What the attempts for one item are recorded under; no node can have such an id."""
    return f"{node}{_MARK}{index}"


def node_of(name: str) -> str:
    """The node that a name of ``item_name``, or a node's own id, belongs to."""
    return name.partition(_MARK)[0]


def index_of(name: str) -> int | None:
    """The index in a name of ``item_name``; None for a node's own id."""
    _, mark, index = name.partition(_MARK)
    return int(index) if mark else None


def items_of(node: str, states: Mapping[str, NodeState]) -> dict[int, NodeState]:
    """The states of a node's items that have started, by index; those that are to start anew have not."""
    found: dict[int, NodeState] = {}
    for name, state in states.items():
        if state.phase is not NodePhase.PENDING and node_of(name) == node and (index := index_of(name)) is not None:
            found[index] = state
    return found


@dataclass(frozen=True)
class Spread:
    """What follows for a node that is being run for every item."""

    start: tuple[int, ...] = ()
    """Indexes of items that may start now."""
    phase: NodePhase | None = None
    """How the node ended, once all has that started; None while something is under way."""


def spread(node: Node, count: int, items: Mapping[int, NodeState]) -> Spread:
    """Decide what follows. After a failure no further item starts, unless failures do not matter to the node."""
    if node.for_each is None:
        raise ValueError(f"node {node.id} runs for no items")
    under_way = sum(not state.phase.is_final for state in items.values())
    failed = any(state.phase in _FAILED for state in items.values())
    tolerant = node.on_failure is OnFailure.CONTINUE
    if failed and not tolerant:
        return Spread(phase=None if under_way else NodePhase.FAILED)
    room = max(node.for_each.parallelism - under_way, 0)
    start = tuple(islice((index for index in range(count) if index not in items), room))
    ended = not under_way and len(items) == count
    return Spread(start, NodePhase.SUCCEEDED if ended else None)


def failures(items: Mapping[int, NodeState], count: int) -> str:
    """How many of the items failed, and why the first of them did; nothing where none failed.

    The first is the one of the lowest index, counted from 0 as ``index`` is; one that was cancelled is told of only
    where no other says more.
    """
    failed = {index: state for index, state in items.items() if state.phase in _FAILED}
    if not failed:
        return ""
    first = min(failed, key=lambda index: (failed[index].phase is NodePhase.CANCELLED, index))
    said = ": ".join(part for part in (failed[first].reason, failed[first].message) if part)
    which = f"item {first}" if len(failed) == 1 else f"the first is item {first}"
    return f"{len(failed)} of {count} items failed; {which}{f': {said}' if said else ''}"
