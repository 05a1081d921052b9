"""Workflow: a graph of nodes that runs in a workspace."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from headgate.api.base import CustomResource, KubeModel, PrinterColumn, ResourceKind, Status
from headgate.api.graph_rules import GRAPH_RULES
from headgate.api.inputs import Input, Output
from headgate.api.node import Node
from headgate.api.rules import ListMap, Rule, name_fits_label
from headgate.api.scalars import PositiveDuration


class Concurrency(KubeModel):
    """How many runs of this workflow may be under way at the same time; others wait."""

    limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Runs at most, apart from those that wait for a run that they called; as many as the Quota allows when absent."""
    mutex: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """Runs of the workspace with the same mutex never run at the same time, unless one waits for the other, which it
    called. ``${{ ... }}`` over inputs is replaced."""


class WorkflowSpec(KubeModel):
    """What the workflow does. Every accepted spec becomes an immutable version; a run keeps the one it started with."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            # CEL sees no values of free form; through dyn() it may ask at least whether one is there.
            cel="""!self.nodes.exists(n, has(n.config.schedule) || has(n.config.event)) ||
                !has(self.inputs) || self.inputs.all(i, !i.required || has(dyn(i).default))""",
            message="give every required input a default: a schedule or an event starts runs without inputs",
        ),
    )

    display_name: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """Name for people."""
    inputs: Annotated[
        tuple[Input, ...],
        Field(max_length=64),
        ListMap("name"),
    ] = ()
    """Values that a run is given."""
    nodes: Annotated[
        tuple[Node, ...],
        Field(min_length=1, max_length=100),
        ListMap("id"),
        *GRAPH_RULES,
    ]
    """The graph, in an order in which every node comes after those it depends on."""
    outputs: Annotated[tuple[Output, ...], Field(max_length=32), ListMap("name")] = ()
    """Values that a run gives when it has succeeded."""
    concurrency: Concurrency = Field(default_factory=Concurrency)
    """How many runs may be under way at the same time."""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    """Runs of a higher priority go before others of the same workspace, where they wait."""
    timeout: PositiveDuration | None = None
    """How long a run may take at most; no limit when absent. Final nodes have ten minutes more, or what they say."""
    suspend: bool = False
    """When true no new run of this workflow starts, whatever the trigger."""


class WorkflowStatus(Status):
    """The workflow as the operator knows it."""

    version: Annotated[int, Field(ge=1)] | None = None
    """Number of the version that new runs start with."""
    version_hash: Annotated[str, StringConstraints(max_length=128)] | None = None
    """Content hash of that version."""
    last_schedule_time: datetime | None = None
    """The last tick that was acted on."""
    next_schedule_time: datetime | None = None
    """The next tick, over all schedules of the workflow."""


class Workflow(CustomResource):
    """A graph of nodes that runs in a workspace: by hand or on a schedule."""

    resource: ClassVar[ResourceKind] = ResourceKind(
        kind="Workflow",
        plural="workflows",
        short_name="hwf",
        scope="Namespaced",
        columns=(
            PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether it can run"),
            PrinterColumn("Reason", '.status.conditions[?(@.type=="Ready")].reason', description="Why, in one word"),
            PrinterColumn("Version", ".status.version", "integer", "The version that new runs start with"),
            PrinterColumn("Suspended", ".spec.suspend", "boolean", "Whether new runs are held back"),
            PrinterColumn("Next", ".status.nextScheduleTime", "string", "The next scheduled run"),
            PrinterColumn(
                "Message",
                '.status.conditions[?(@.type=="Ready")].message',
                description="What to do about it",
                priority=1,
            ),
            PrinterColumn("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (name_fits_label("Workflow"),)

    spec: WorkflowSpec
    """What the workflow does."""
    status: WorkflowStatus = Field(default_factory=WorkflowStatus)
    """The workflow as the operator knows it; written by the operator."""
