"""Test and Debug runs: nodes that give what they are told to, and places to stop at."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.node import NodeId
from headgate.api.rules import FreeForm, ListMap, Rule


class RunMode(StrEnum):
    """What a run is for."""

    NORMAL = "Normal"
    TEST = "Test"
    DEBUG = "Debug"


class Mock(KubeModel):
    """A node that does not run: it has this output, or fails so."""

    node: NodeId
    """The node."""
    output: Annotated[Any, FreeForm()] = None
    """Its output; any JSON, 4096 bytes at most."""
    failure: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """The message with which it fails, where it is to fail."""


class NodePin(KubeModel):
    """A node that does not run: when its turn comes, it has what it came to in an earlier run of the workflow."""

    node: NodeId
    """The node."""
    run: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Id of the run, in which the node succeeded."""


class BreakpointAt(StrEnum):
    """When a run stops at a node."""

    BEFORE = "Before"
    AFTER = "After"
    FAILURE = "Failure"


class Breakpoint(KubeModel):
    """Suspends the run at a node, until it is resumed."""

    node: NodeId
    """The node."""
    at: BreakpointAt = BreakpointAt.BEFORE
    """Before it starts, after it ended, or when it failed."""


class Debug(KubeModel):
    """What a Test or Debug run does otherwise. Such a run counts for no quota, health or cost figure."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="""!has(self.pins) || !has(self.mocks) ||
                !self.pins.exists(pin, self.mocks.exists(mock, mock.node == pin.node))""",
            message="give a node either a mock or a pin: both say what it gives",
            at=".pins",
        ),
    )

    mocks: Annotated[tuple[Mock, ...], Field(max_length=100), ListMap("node")] = ()
    """Nodes that do not run, and what they give instead."""
    pins: Annotated[tuple[NodePin, ...], Field(max_length=100), ListMap("node")] = ()
    """Nodes that do not run, and the earlier runs whose outputs they have, wherever they stand."""
    pins_from: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Id of an earlier run whose outputs the nodes before ``startFrom`` have, but for those in ``pins``."""
    start_from: NodeId | None = None
    """The node to begin with; those before it have the outputs of ``pins``, ``pinsFrom`` or ``mocks``."""
    stop_after: NodeId | None = None
    """The node after which the run ends."""
    breakpoints: Annotated[tuple[Breakpoint, ...], Field(max_length=100), ListMap("node", "at")] = ()
    """Where the run stops, at several moments of a node where it is named several times; Debug runs only."""
