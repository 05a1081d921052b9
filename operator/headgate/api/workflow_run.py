"""WorkflowRun: a run that someone asks for with kubectl or Git."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from headgate.api.base import CustomResource, KubeModel, PrinterColumn, ResourceKind, Status
from headgate.api.debugging import Debug, RunMode
from headgate.api.inputs import INPUT_NAME_MESSAGE, INPUT_NAME_PATTERN, InputName
from headgate.api.node import NodeId
from headgate.api.rules import FreeForm, ListMap, Rule, name_fits_label
from headgate.api.scalars import DnsSubdomain


class WorkflowReference(KubeModel):
    """Names a Workflow of the same namespace."""

    name: DnsSubdomain
    """Name of the Workflow."""


def _is_kept(name: str) -> Rule:
    # CEL sees no values of free form; through dyn() it may compare them and look at their keys.
    now, before = f"dyn(self).{name}", f"dyn(oldSelf).{name}"
    return Rule(
        cel=f"has({now}) == has({before}) && (!has({now}) || {now} == {before})",
        message=f"leave {name} as it is, only what steers a run can be changed; create another WorkflowRun",
        reason="FieldValueForbidden",
        at=f".{name}",
    )


class Decision(KubeModel):
    """What a person decided on an approval node."""

    node: NodeId
    """The approval node."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """The attempt of the node that is decided; more than 1 where the run was retried."""
    approved: bool
    """True lets the run go on; false fails the node."""
    by: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """The name of the user who decides, as the API server knows it."""
    comment: Annotated[str, StringConstraints(max_length=1024)] = ""
    """Why."""


class WorkflowRunSpec(KubeModel):
    """What to run. What steers it can be changed later: cancel, suspend, retry, resume, step, priority, approvals."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *(_is_kept(name) for name in ("workflowRef", "trigger", "inputs", "mode", "debug", "replayOf", "version")),
        Rule(
            cel="(!oldSelf.cancel || self.cancel) && (!oldSelf.cancelNow || self.cancelNow)",
            message="leave cancel true: a cancelled run stays cancelled; create another WorkflowRun",
            reason="FieldValueForbidden",
            at=".cancel",
        ),
        *(
            Rule(
                cel=f"!has(oldSelf.{name}) || (has(self.{name}) && self.{name} >= oldSelf.{name})",
                message=f"raise {name}, or leave it: it counts how often that was asked for",
                reason="FieldValueForbidden",
                at=f".{name}",
            )
            for name in ("retry", "resume", "step")
        ),
        Rule(
            cel="""!has(oldSelf.approvals) || (has(self.approvals) &&
                oldSelf.approvals.all(o, self.approvals.exists(n, n == o)))""",
            message="leave the approvals that are there: a decision is never taken back",
            reason="FieldValueForbidden",
            at=".approvals",
        ),
        Rule(
            cel="self.mode != 'Normal' || !has(self.debug)",
            message="set mode to Test or Debug, or remove debug",
            at=".debug",
        ),
        Rule(
            cel="self.mode == 'Debug' || !has(self.debug) || !has(self.debug.breakpoints)"
            " || self.debug.breakpoints.size() == 0",
            message="set mode to Debug: only such a run stops at breakpoints",
            at=".debug.breakpoints",
        ),
        Rule(
            cel="self.mode == 'Debug' || !has(self.step) || self.step == 0",
            message="set mode to Debug: only such a run goes on by a step",
            at=".step",
        ),
        Rule(
            cel=f"""!has(dyn(self).inputs) ||
                dyn(self).inputs.all(name, name.size() <= 63 && name.matches(r'{INPUT_NAME_PATTERN}'))""",
            message=f"{INPUT_NAME_MESSAGE}, and 63 characters at most",
            at=".inputs",
        ),
    )

    workflow_ref: WorkflowReference
    """The workflow."""
    trigger: NodeId | None = None
    """The manual trigger to start from; the first one when absent."""
    inputs: Annotated[
        dict[InputName, Annotated[Any, FreeForm()]],
        Field(max_length=64),
    ] = Field(default_factory=dict)
    """Values for the workflow's inputs; any JSON, 64 KiB at most in all."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Number of the workflow's version to run; the current one when absent."""
    replay_of: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Id of an earlier run of the workflow, whose inputs and trigger this one takes; ``version`` may be another."""
    mode: RunMode = RunMode.NORMAL
    """Normal, or Test or Debug: such runs count for no quota, health or cost figure, and reach no network."""
    debug: Debug | None = None
    """What a Test or Debug run does otherwise."""
    priority: Annotated[int, Field(ge=-100, le=100)] | None = None
    """Goes before the workflow's own priority."""
    suspend: bool = False
    """While true no further node starts; what runs goes on."""
    cancel: bool = False
    """Set to true to stop the run: what runs is asked to end, what waits never starts, final nodes run."""
    cancel_now: bool = False
    """Set to true to stop the run at once: what runs is killed, and final nodes do not run."""
    retry: Annotated[int, Field(ge=0, le=1000)] = 0
    """Raise it to run the failed nodes of a failed run again, and what comes after them; finished ones are kept."""
    resume: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Raise it to let a run go on that stands at a breakpoint, to the next one."""
    step: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Raise it to let a Debug run that stands at a breakpoint start what is ready there, and stop again before what
    comes next: one step, however much it is raised. Where resume is raised too, that comes first, and the step is taken
    where the run stands next."""
    approvals: Annotated[tuple[Decision, ...], Field(max_length=100), ListMap("node", "attempt", "by")] = ()
    """Decisions on approval nodes. The API server sees to it that ``by`` is whoever adds the decision."""


class RunPhase(StrEnum):
    """Where a run stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @cached_property
    def is_final(self) -> bool:
        """Whether nothing will happen any more."""
        return self in (RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED)


class NodePhase(StrEnum):
    """Where a node of a run stands."""

    PENDING = "Pending"
    """Waits for the nodes it depends on."""
    QUEUED = "Queued"
    """May start: waits to be claimed, for a retry delay, or for its pod."""
    RUNNING = "Running"
    """Its attempt is under way."""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    """Never runs: on a branch not taken, or after a failed node."""
    CANCELLED = "Cancelled"

    @cached_property
    def is_final(self) -> bool:
        """Whether nothing will happen any more."""
        return self in (NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.SKIPPED, NodePhase.CANCELLED)


class NodeStatus(KubeModel):
    """A node of the run as it is."""

    id: NodeId
    """The node."""
    phase: NodePhase
    """Where it stands."""
    attempt: Annotated[int, Field(ge=0)] = 0
    """The attempt that the phase speaks of, from 1; 0 when none was made."""
    started_at: datetime | None = None
    """When the attempt started."""
    finished_at: datetime | None = None
    """When the attempt ended."""
    reason: Annotated[str, StringConstraints(max_length=128)] | None = None
    """Why the phase is what it is, in one word, where that is not obvious."""
    message: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """The same for people."""


class WaitingFor(KubeModel):
    """One thing that the run waits for."""

    node: NodeId | None = None
    """The node that waits; absent when the whole run does."""
    reason: Annotated[str, StringConstraints(max_length=128)]
    """Why, in one stable word: Retry, Unschedulable, ImagePull, MissingSecret, ComputeQuota and others."""
    message: Annotated[str, StringConstraints(max_length=1024)] = ""
    """Why, and what to do about it."""
    until: datetime | None = None
    """When it may go on by itself, where that is known."""


class WorkflowRunStatus(Status):
    """The run as it is: a mirror of its row in Postgres."""

    phase: RunPhase | None = None
    """Where the run stands."""
    run_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """The id under which Postgres keeps the run."""
    workflow_version: Annotated[int, Field(ge=1)] | None = None
    """The version of the workflow that the run keeps."""
    started_at: datetime | None = None
    """When the run was admitted."""
    finished_at: datetime | None = None
    """When the run ended."""
    duration: Annotated[str, StringConstraints(max_length=32)] | None = None
    """How long the run took, such as ``1m12s``."""
    progress: Annotated[str, StringConstraints(max_length=16)] | None = None
    """Nodes done of all nodes, such as ``3/5``; triggers do not count."""
    nodes: Annotated[
        tuple[NodeStatus, ...],
        Field(max_length=100),
        ListMap("id"),
    ] = ()
    """The nodes as they are; triggers left out."""
    outputs: Annotated[dict[str, Annotated[Any, FreeForm()]], Field(max_length=32)] = Field(default_factory=dict)
    """The run's outputs, once it has succeeded."""
    waiting_for: Annotated[tuple[WaitingFor, ...], Field(max_length=100)] = ()
    """Why the run does not go on right now."""
    waiting: Annotated[str, StringConstraints(max_length=128)] | None = None
    """The reasons of ``waitingFor`` in short, for a column."""


class WorkflowRun(CustomResource):
    """A run of a Workflow, asked for with kubectl or Git. Its status mirrors the history in Postgres."""

    resource: ClassVar[ResourceKind] = ResourceKind(
        kind="WorkflowRun",
        plural="workflowruns",
        short_name="hrun",
        scope="Namespaced",
        columns=(
            PrinterColumn("Workflow", ".spec.workflowRef.name", description="The workflow"),
            PrinterColumn("Phase", ".status.phase", description="Where the run stands"),
            PrinterColumn("Progress", ".status.progress", description="Nodes done of all nodes"),
            PrinterColumn("Duration", ".status.duration", description="How long it took"),
            PrinterColumn("Waiting", ".status.waiting", description="What it waits for"),
            PrinterColumn("Run", ".status.runId", description="Its id in the history", priority=1),
            PrinterColumn("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (name_fits_label("WorkflowRun"),)

    spec: WorkflowRunSpec
    """What to run."""
    status: WorkflowRunStatus = Field(default_factory=WorkflowRunStatus)
    """The run as it is; written by the operator."""
