"""What the API is asked about runs."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from headgate.api.debugging import Debug, RunMode
from headgate.api.inputs import INPUT_NAME_PATTERN
from headgate.api.workflow_run import RunPhase
from headgate.domain.labels import LABEL_KEY, LABEL_VALUE, MOST_LABELS
from headgate.gateway.models.base import LARGEST_INTEGER, ApiModel, Namespace, Number, ObjectName, PageQuery, Time

_Node = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z]([a-z0-9_-]*[a-z0-9])?$")]
_InputName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=INPUT_NAME_PATTERN)]
_LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317, pattern=f"^{LABEL_KEY}$")]
_LabelValue = Annotated[str, StringConstraints(max_length=63, pattern=f"^{LABEL_VALUE}$")]
_Label = Annotated[str, StringConstraints(min_length=2, max_length=381, pattern=f"^{LABEL_KEY}={LABEL_VALUE}$")]
_Comment = Annotated[str, StringConstraints(max_length=1024)]


class StartRun(ApiModel):
    """Asks for a run."""

    workflow: ObjectName
    """The workflow to run."""
    namespace: Namespace | None = None
    """The workflow's namespace; the one of the workspace's name when absent."""
    trigger: _Node | None = None
    """The manual trigger to start from; the first one when absent."""
    inputs: Annotated[dict[_InputName, Any], Field(max_length=64)] = Field(default_factory=dict)
    """Values for the workflow's inputs; any JSON, 64 KiB at most in all."""
    version: Number | None = None
    """The version of the workflow to run; the current one when absent."""
    mode: RunMode = RunMode.NORMAL
    """Normal, or Test or Debug: such runs count for no quota, health or cost figure, and reach no network."""
    debug: Debug | None = None
    """What a Test or Debug run does otherwise, as the spec of a WorkflowRun says it."""
    priority: Annotated[int, Field(ge=-100, le=100)] | None = None
    """Goes before the workflow's own priority."""
    replay_of: UUID | None = None
    """An earlier run of the workflow, whose inputs and trigger this one takes where it says nothing itself."""
    labels: Annotated[
        dict[_LabelKey, _LabelValue],
        Field(max_length=MOST_LABELS, examples=[{"team": "shop", "example.com/kind": "report"}]),
    ] = Field(default_factory=dict)
    """By what the run can be found later, in the form of labels in Kubernetes; those of headgate.dev/ are its own."""


class RunQuery(PageQuery):
    """Which runs to list. What is left out is left open."""

    status: Annotated[list[RunPhase], Field(max_length=6)] = Field(default_factory=list)
    """Runs in any of these phases; may be repeated."""
    workflow: ObjectName | None = None
    """Runs of this workflow, also when it was deleted."""
    namespace: Namespace | None = None
    """The workflow's namespace; the one of the workspace's name when absent. Counts only together with ``workflow``."""
    since: Time | None = None
    """Runs that were asked for then or later, such as 2026-03-10T12:00:00Z."""
    until: Time | None = None
    """Runs that were asked for before then."""
    label: Annotated[list[_Label], Field(max_length=8, examples=[["team=shop"]])] = Field(default_factory=list)
    """Runs with this label, as ``key=value``; may be repeated, for runs with all of them, the rarest first."""


class CancelRun(ApiModel):
    """Says why a run is cancelled."""

    reason: _Comment = ""
    """Kept as the run's error message."""


class HoldRun(ApiModel):
    """Says why a run is held."""

    reason: _Comment = ""
    """Shown as what the run waits for."""


class ResumeRun(ApiModel):
    """Says how far a run goes on."""

    step: bool = False
    """At a breakpoint: let start what may start there, and stop again before what comes next."""


class DecideApproval(ApiModel):
    """A decision on an approval node that waits for one."""

    node: _Node
    """The approval node."""
    attempt: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] | None = None
    """The attempt that is decided; the one that waits when absent."""
    comment: _Comment = ""
    """Why. Later nodes can read it."""
