"""How far a run has come, as its events tell, or the run itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from headgate.cli.text import moment
from headgate.client.api import Run, RunNode
from headgate.client.events import Event

RUN_OVER = ("Succeeded", "Failed", "Cancelled")
STEP_OVER = (*RUN_OVER, "Skipped")


@dataclass(frozen=True)
class Step:
    """One node, or one item of it: its latest attempt."""

    name: str
    phase: str
    attempt: int = 0
    reason: str = ""
    message: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    changed: datetime | None = None
    """When it came to be so; None where the API does not tell."""

    @property
    def node(self) -> str:
        """The node that it belongs to."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Progress:
    """A run with its steps, in the order in which they came up."""

    phase: str = ""
    """Empty until it was told."""
    reason: str = ""
    steps: Mapping[str, Step] = field(default_factory=dict)
    changed: datetime | None = None
    """When the run, not one of its steps, came to be so; None where the API does not tell."""

    @classmethod
    def of(cls, run: Run) -> Progress:
        """As the run itself has it."""
        reason = "; ".join(f"{item['reason']}: {item['message']}" for item in run["waitingFor"] if not item["node"])
        waiting = {item["node"]: item for item in run["waitingFor"] if item["node"]}
        steps = {}
        for node in run["nodes"]:
            step = _step(node)
            if step.name in waiting and step.phase not in STEP_OVER:
                item = waiting[step.name]
                step = replace(step, reason=item["reason"], message=item["message"], changed=None)
            steps[step.name] = step
        return cls(run["phase"], reason, steps, moment(run["finishedAt"]) if run["phase"] in RUN_OVER else None)

    def after(self, event: Event) -> Progress:
        """With what the event says."""
        data = event.data
        if event.name == "run":
            return replace(self, phase=data["phase"], reason=data["reason"], changed=moment(data["changedAt"]))
        if event.name != "step":
            return self
        before = self.steps.get(data["node"])
        if before is not None and data["attempt"] < before.attempt:
            return self
        step = _changed(before, data["node"], data["attempt"], data["phase"], moment(data["changedAt"]))
        return replace(self, steps={**self.steps, step.name: replace(step, reason=data["reason"])})


def _step(node: RunNode) -> Step:
    started, finished = moment(node["startedAt"]), moment(node["finishedAt"])
    changed = finished if node["phase"] in STEP_OVER else started if node["phase"] == "Running" else None
    return Step(
        node["id"],
        node["phase"],
        node["attempt"],
        node["reason"],
        node["message"],
        started,
        finished,
        changed,
    )


def _changed(before: Step | None, name: str, attempt: int, phase: str, at: datetime | None) -> Step:
    if before is None or before.attempt != attempt:
        before = Step(name, phase, attempt)
    started = before.started or (at if phase == "Running" else None)
    finished = at if phase in STEP_OVER else None
    return replace(before, phase=phase, message="", started=started, finished=finished, changed=at)


def news(before: Progress, after: Progress) -> Iterator[tuple[datetime | None, str]]:
    """A line for each thing that is not as it was, and since when, where that is known."""
    for name, step in after.steps.items():
        was = before.steps.get(name, Step(name, "Pending"))
        if (was.phase, was.attempt, was.reason) != (step.phase, step.attempt, step.reason):
            yield step.changed, f"  {name}: {_said(step)}"
    if after.phase and (before.phase, before.reason) != (after.phase, after.reason):
        yield after.changed, f"run: {after.phase}{f' ({after.reason})' if after.reason else ''}"


def _said(step: Step) -> str:
    again = f", attempt {step.attempt}" if step.attempt > 1 else ""
    why = ": ".join(part for part in (step.reason, step.message) if part)
    return f"{step.phase}{again}{f' ({why})' if why else ''}"
