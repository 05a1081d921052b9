"""Runs, as the API gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.debugging import Breakpoint, RunMode
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.task import Waiting
from headgate.engine.types import ComputeView, NodeView, RunPage, RunSummary, RunView, TriggerKind
from headgate.gateway.models.analytics import Money, Quantity
from headgate.gateway.models.base import ApiModel


class WaitingReason(ApiModel):
    """One thing that a run waits for."""

    node: str | None
    """The node that waits; null when the whole run does."""
    reason: str
    """Why, in one stable word."""
    message: str
    """Why, and what to do about it."""
    until: datetime | None
    """When it may go on by itself, where that is known."""


class Compute(ApiModel):
    """CPU and memory of an attempt."""

    cpu: Quantity
    """CPUs."""
    memory_bytes: int
    """Bytes of memory."""


class RunNode(ApiModel):
    """A node of a run: its latest attempt."""

    id: str
    """The node."""
    phase: NodePhase
    """Where it stands."""
    attempt: int
    """The attempt that the phase speaks of, from 1; 0 when none was made."""
    started_at: datetime | None
    """When the attempt started."""
    finished_at: datetime | None
    """When the attempt ended."""
    reason: str
    """Why the phase is what it is, in one word, where that is not obvious."""
    message: str
    """The same for people."""
    output: Any = None
    """What it gave."""
    cost: Money | None
    """What the attempt cost, once it has ended; null where it had no price."""
    price_version: str | None
    """The price table by which: the beginning of its hash."""
    requested: Compute | None
    """What the attempt requests, defaults of its namespace included; null until it is known to run."""
    used: Compute | None
    """What it used in the mean, once it has ended; null where nothing was measured, and it costs what it requests."""


class RunHead(ApiModel):
    """What is told of a run wherever it is told of."""

    id: UUID
    """Unique for ever."""
    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    version: int
    """The version of the workflow that it keeps."""
    kind: TriggerKind
    """What asked for it: a WorkflowRun, a schedule, another run's end, a calling node, this API, or a webhook."""
    resource: str | None
    """The WorkflowRun that mirrors it and whose spec steers it; null where there is none."""
    mode: RunMode
    """Normal; or Test or Debug, which count for no quota, health or cost figure."""
    phase: RunPhase
    """Where it stands."""
    started_at: datetime
    """When it was asked for."""
    finished_at: datetime | None
    """When it ended."""
    error_message: str | None
    """Why it failed or was cancelled."""
    labels: dict[str, str]
    """What was given when it was asked for: of a WorkflowRun, its labels at that time."""


class Run(RunHead):
    """A run."""

    priority: int
    """Higher ones start first."""
    retries: int
    """How often its failed nodes were run again."""
    cancelling: bool
    """Whether it was asked to end."""
    breakpoint: Breakpoint | None
    """Where a Debug run stands, until it is resumed; null while it stands at none."""
    inputs: dict[str, Any] | None
    """What a Test or Debug run was given, defaults included; null for a Normal one."""
    outputs: dict[str, Any] | None
    """What it gave, once it has succeeded."""
    cost: Money | None
    """What its attempts cost that have ended, all of them; null where none had a price."""
    waiting_for: tuple[WaitingReason, ...]
    """Why it does not go on right now."""
    nodes: tuple[RunNode, ...]
    """In the workflow's order; triggers left out."""
    archived: bool
    """Whether it lies in the archive: it can be read, and not changed or replayed."""


class RunItem(RunHead):
    """A run in a list."""

    duration_ms: int | None
    """Milliseconds from the one to the other."""
    waiting: str | None
    """Why it has not started, in one stable word."""


class RunList(ApiModel):
    """A page of runs, the newest first."""

    items: tuple[RunItem, ...]
    """The runs."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


def run_of(view: RunView) -> Run:
    """The run as the API gives it."""
    return Run(
        id=view.run_id,
        namespace=view.namespace,
        workflow=view.workflow,
        version=view.version,
        kind=view.kind,
        resource=view.resource,
        mode=view.mode,
        phase=view.phase,
        started_at=view.started_at,
        finished_at=view.finished_at,
        priority=view.priority,
        retries=view.retries,
        cancelling=view.cancelling,
        error_message=view.error_message,
        labels=dict(view.labels),
        cost=view.cost,
        breakpoint=view.breakpoint,
        inputs=dict(view.inputs) if view.inputs is not None else None,
        outputs=dict(view.outputs) if view.outputs is not None else None,
        waiting_for=tuple(_waiting(item) for item in view.waiting),
        nodes=tuple(_node(node) for node in view.nodes),
        archived=view.archived,
    )


def list_of(page: RunPage) -> RunList:
    """The page as the API gives it."""
    return RunList(items=tuple(_item(run) for run in page.runs), next_cursor=page.next_cursor)


def _waiting(item: Waiting) -> WaitingReason:
    return WaitingReason(node=item.node, reason=item.reason, message=item.message, until=item.until)


def _node(node: NodeView) -> RunNode:
    return RunNode(
        id=node.id,
        phase=node.phase,
        attempt=node.attempt,
        started_at=node.started_at,
        finished_at=node.finished_at,
        reason=node.reason,
        message=node.message,
        output=node.output,
        cost=node.cost,
        price_version=node.price_version,
        requested=_compute(node.requested),
        used=_compute(node.used),
    )


def _compute(view: ComputeView | None) -> Compute | None:
    return Compute(cpu=view.cpu, memory_bytes=round(view.memory)) if view is not None else None


def _item(run: RunSummary) -> RunItem:
    return RunItem(
        id=run.run_id,
        namespace=run.namespace,
        workflow=run.workflow,
        version=run.version,
        kind=run.kind,
        resource=run.resource,
        mode=run.mode,
        phase=run.phase,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_ms=run.duration_ms,
        error_message=run.error_message,
        labels=dict(run.labels),
        waiting=run.waiting,
    )
