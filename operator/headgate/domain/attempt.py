"""Judging an attempt by what Kubernetes shows of its Job and pods."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.domain.alone import SCRIPT_LABEL, failure_in
from headgate.domain.cost import Footprint, footprint_of
from headgate.domain.task import OUTPUT_BYTES, Outcome, Waiting

CONTAINER = "main"
"""Name of the container of a node's pod."""

SLOW_START = timedelta(seconds=3)
"""How long a container may take to start, once its pod has all else, before that is told."""

_MESSAGE_LENGTH = 1024
_TOO_LARGE = (
    f"what was written to $HEADGATE_OUTPUT is too large: Kubernetes keeps the last {OUTPUT_BYTES} bytes of it, and "
    f"these are not JSON; write {OUTPUT_BYTES} bytes at most, and of more only where it lies"
)
"""What is said of output that fills all that is kept of it, and is not JSON."""
_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Running:
    """The container runs."""

    started_at: datetime | None
    footprint: Footprint | None = field(default=None, compare=False)
    """What its pod holds."""


@dataclass(frozen=True)
class Starting:
    """The container does not run yet."""

    waiting: Waiting | None
    """Why, where Kubernetes' status says it."""


@dataclass(frozen=True)
class Finished:
    """The attempt ended."""

    outcome: Outcome


Verdict = Running | Starting | Finished


def judge(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], node: str) -> Verdict:
    """What the Job and its pods say of the attempt.

    A pod that ended is believed before the Job controller sums it up, a second or so later. A pod that is being deleted
    is not: its end says nothing about the work, and the Job's own verdict follows. That of a Job which gave up stands
    once no pod is left that may still end well.
    """
    failed, failing = _condition(job, "Failed"), _condition(job, "FailureTarget")
    if any(verdict is not None and verdict.get("reason") == "DeadlineExceeded" for verdict in (failed, failing)):
        return Finished(Outcome(succeeded=False, reason="Timeout", message="the attempt took longer than its timeout"))
    newest = _newest(pod for pod in pods if not pod["metadata"].get("deletionTimestamp"))
    if newest is not None and has_ended(newest):
        return Finished(_succeeded(newest) if _phase(newest) == "Succeeded" else _failed(newest))
    lost = failed or (failing if newest is None else None)
    if lost is not None:
        message = f"the Job failed: {lost.get('message') or lost.get('reason')}"
        return Finished(Outcome(succeeded=False, reason="PodLost", message=message))
    if _condition(job, "Complete") is not None:
        ended = _newest(pod for pod in pods if _phase(pod) == "Succeeded")
        gone = Outcome(succeeded=True, message="the pod was gone before its output was read")
        return Finished(_succeeded(ended) if ended is not None else gone)
    return _underway(newest, node) if newest is not None else Starting(None)


def has_ended(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's containers have ended and will not run again."""
    return _phase(pod) in ("Succeeded", "Failed")


def ended_at(job: Mapping[str, Any]) -> datetime | None:
    """Since when the Job is over, as its controller has it; None where it is not."""
    over = _condition(job, "Complete") or _condition(job, "Failed")
    return _time(over.get("lastTransitionTime")) if over is not None else None


@dataclass(frozen=True)
class Trouble:
    """What an Event of Kubernetes says that an attempt cannot get past."""

    stage: int
    """What it does not get: 0 a pod, 1 a node, 2 what the container needs."""
    reason: str
    message: str
    seen: datetime
    """When that was seen last."""


def trouble_of(event: Mapping[str, Any]) -> Trouble | None:
    """The trouble that an Event about a Job or a pod tells of, if it does."""
    known = _TROUBLES.get(str(event.get("reason")))
    if known is None:
        return None
    stage, reason = known
    message = str(event.get("message", ""))
    return Trouble(stage, _refined(reason, message), _cut(message), _last_seen(event))


def explain(troubles: Iterable[Trouble], pods: Iterable[Mapping[str, Any]], node: str) -> Waiting | None:
    """Why an attempt does not start, from the troubles of its Job and pods, where their status does not say it.

    What was in the way of a stage that the attempt has passed is in the way no more.
    """
    stage = _stage(pods)
    newest = max((t for t in troubles if t.stage >= stage), key=lambda trouble: trouble.seen, default=None)
    return Waiting(newest.reason, newest.message, node) if newest is not None else None


def slow_start(pods: Iterable[Mapping[str, Any]], node: str, now: datetime) -> Waiting | timedelta | None:
    """What an attempt waits for that has all but its container, once that takes long; before, how soon it will have.

    The kubelet's status says no more than ``ContainerCreating`` then, and no warning comes before a try has failed: an
    image that is large, or whose registry does not answer, takes minutes. None for an attempt at any other stage.
    """
    pod = _newest(pod for pod in pods if not pod["metadata"].get("deletionTimestamp"))
    sandbox = _condition(pod, "PodReadyToStartContainers") if pod is not None else None
    since = _time(sandbox.get("lastTransitionTime")) if sandbox is not None else None
    if pod is None or since is None:
        return None
    if now - since < SLOW_START:
        return SLOW_START - (now - since)
    image = _container_status(pod).get("image") or "its image"
    message = f"the node pulls {image}, or makes the container, since {since:%H:%M:%S} UTC"
    return Waiting("ContainerCreating", _cut(message), node)


def _stage(pods: Iterable[Mapping[str, Any]]) -> int:
    """How far the attempt is: 0 without a pod, 1 without a node, 2 without what the container needs, or 3."""
    pod = _newest(pod for pod in pods if not pod["metadata"].get("deletionTimestamp"))
    if pod is None:
        return 0
    if _condition(pod, "PodScheduled") is None:
        return 1
    return 2 if _condition(pod, "PodReadyToStartContainers") is None else 3


_TROUBLES: Mapping[str, tuple[int, str]] = {
    "FailedCreate": (0, "PodRefused"),
    "FailedScheduling": (1, "Unschedulable"),
    "FailedMount": (2, "Mount"),
    "FailedCreatePodSandBox": (2, "Sandbox"),
}
"""Reasons of events, with the stage that the attempt cannot pass."""


def _last_seen(event: Mapping[str, Any]) -> datetime:
    series = event.get("series") or {}
    seen = _time(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime"))
    return seen or datetime.min.replace(tzinfo=UTC)


def _refined(reason: str, message: str) -> str:
    lowered = message.lower()
    if "exceeded quota" in lowered:
        return "ComputeQuota"
    if "not found" in lowered or "references non-existent" in lowered or "couldn't find key" in lowered:
        if "secret" in lowered:
            return "MissingSecret"
        if "configmap" in lowered:
            return "MissingConfigMap"
    return reason


def began(pod: Mapping[str, Any]) -> datetime | None:
    """When the container of a pod began that runs; None where none does."""
    running = _container_state(pod).get("running")
    return _time(running.get("startedAt")) if running is not None else None


def _underway(pod: Mapping[str, Any], node: str) -> Verdict:
    status = pod.get("status", {})
    state = _container_state(pod)
    if "running" in state:
        started_at = _time(state["running"].get("startedAt")) or _time(status.get("startTime"))
        return Running(started_at, footprint_of(pod))
    waiting = state.get("waiting", {})
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if reason in _IMAGE_REASONS:
        return Starting(Waiting("ImagePull", _cut(message or reason), node))
    if reason not in _STARTING:
        return Starting(Waiting(_refined(reason, message), _cut(message or reason), node))
    scheduled = _condition(pod, "PodScheduled", status="False")
    if scheduled is not None and (reason := str(scheduled.get("reason"))) in ("Unschedulable", "SchedulingGated"):
        return Starting(Waiting(reason, _cut(str(scheduled.get("message", ""))), node))
    return Starting(None)


def _succeeded(pod: Mapping[str, Any]) -> Outcome:
    ended = _container_state(pod).get("terminated", {})
    text = ended.get("message") or ""
    started, finished = _time(ended.get("startedAt")), _time(ended.get("finishedAt"))
    bare = Outcome(succeeded=True, exit_code=0, started_at=started, finished_at=finished, footprint=footprint_of(pod))
    if not text.strip():
        return bare
    try:
        output = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"what was written to $HEADGATE_OUTPUT is not JSON: {error}"
        if len(text.encode()) >= OUTPUT_BYTES:
            # The kubelet keeps the end of it and does not say how much there was, so that is all that can be known.
            message = _TOO_LARGE
        return replace(bare, succeeded=False, reason="InvalidOutput", message=message)
    return replace(bare, output=output)


def _failed(pod: Mapping[str, Any]) -> Outcome:
    status = pod.get("status", {})
    ended = _container_state(pod).get("terminated", {})
    code = ended.get("exitCode")
    # The kubelet gives the pod a reason where it ended the container itself, whose own then only tells how it died.
    reason = status.get("reason") or ended.get("reason") or "PodFailed"
    if reason in ("Error", "Completed"):
        reason = "ExitCode"
    said = status.get("message") or ended.get("message") or ""
    message = f"exited with code {code}" if reason == "ExitCode" else str(reason)
    failure = failure_in(said) if reason == "ExitCode" and _executes_a_script(pod) else None
    if failure is None:
        text = _cut(f"{message}: {said}" if said else message)
        failure = Outcome(succeeded=False, reason=str(reason), message=text, exit_code=code)
    return replace(
        failure,
        started_at=_time(ended.get("startedAt")),
        finished_at=_time(ended.get("finishedAt")),
        footprint=footprint_of(pod),
    )


def _executes_a_script(pod: Mapping[str, Any]) -> bool:
    """Whether the container is Headgate's own, and executes a script."""
    return SCRIPT_LABEL in (pod["metadata"].get("labels") or {})


def _newest(pods: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


def _phase(pod: Mapping[str, Any]) -> str | None:
    phase: str | None = pod.get("status", {}).get("phase")
    return phase


def _container_status(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in pod.get("status", {}).get("containerStatuses") or ():
        if container.get("name") == CONTAINER:
            found: Mapping[str, Any] = container
            return found
    return {}


def _container_state(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Any] = _container_status(pod).get("state") or {}
    return state


def _condition(item: Mapping[str, Any], kind: str, status: str = "True") -> Mapping[str, Any] | None:
    for condition in item.get("status", {}).get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == status:
            found: Mapping[str, Any] = condition
            return found
    return None


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE_LENGTH else text[: _MESSAGE_LENGTH - 1] + "…"


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")
