"""Attempts, and the Jobs and pods that Kubernetes makes of them, with status as the real controllers write it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

from headgate.api.builtin import Script
from headgate.api.node import Container
from headgate.api.workspace import WorkspaceSpec
from headgate.desired.job import job
from headgate.desired.placement import ASKS_NOTHING
from headgate.desired.runner_pod import RunnerPods
from headgate.desired.script_job import script_job
from headgate.domain.task import JobTask, TaskRef

Json = dict[str, Any]
CREATED = "2026-03-01T12:00:00Z"
STARTED = "2026-03-01T12:00:03Z"
FINISHED = "2026-03-01T12:00:09Z"
IMAGE = "registry.example.com/tools/task:1.0"
RUNNERS = RunnerPods(gateway_url="http://gateway:8000", image="registry.example.com/headgate:1.0")
WORKSPACE_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
RUN_ID = UUID("01890a5d-ac96-7f1e-8a3c-0e5b7a9d1c42")


def a_task(
    node: str = "extract",
    *,
    attempt: int = 1,
    workflow: str = "nightly",
    namespace: str = "acme",
    run_id: UUID = RUN_ID,
    timeout_seconds: int = 300,
    job_uid: str | None = None,
    **container: Any,
) -> JobTask:
    """An attempt; ``container`` are members of its container by their names on the wire."""
    return JobTask(
        ref=TaskRef(WORKSPACE_ID, run_id, node, attempt),
        workspace="acme",
        namespace=namespace,
        workflow=workflow,
        does=Container.model_validate({"image": IMAGE, **container}),
        timeout_seconds=timeout_seconds,
        job_uid=job_uid,
    )


def a_script_task(source: str = "true", language: str = "shell", *, mode: str = "Test", **script: Any) -> JobTask:
    """An attempt of a script of a Test or Debug run; ``script`` are its other members, such as ``env``."""
    does = Script.model_validate({"language": language, "source": source, **script})
    return replace(a_task(), does=does, mode=mode)


def job_of(task: JobTask, workspace: WorkspaceSpec = ASKS_NOTHING) -> Json:
    """The Job that the operator makes of an attempt."""
    if isinstance(task.does, Script):
        return script_job(task, task.does, RUNNERS, workspace)
    return job(task, workspace)


@dataclass(frozen=True)
class JobBuilder:
    """A Job of an attempt as the API server serves it."""

    task: JobTask
    uid: str = "job-uid"
    version: int = 10
    metadata: Json = field(default_factory=dict)
    spec: Json = field(default_factory=dict)
    conditions: tuple[Json, ...] = ()

    def with_condition(self, kind: str, reason: str = "", message: str = "") -> Self:
        """Add a condition that is True."""
        condition = {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": FINISHED,
        }
        return replace(self, conditions=(*self.conditions, condition))

    def complete(self) -> Self:
        """Its pod succeeded, and the Job controller has seen it."""
        reached = "Reached expected number of succeeded pods"
        return self.with_condition("SuccessCriteriaMet", "CompletionsReached", reached).with_condition(
            "Complete", "CompletionsReached", reached
        )

    def failed(
        self, reason: str = "BackoffLimitExceeded", message: str = "Job has reached the specified backoff limit"
    ) -> Self:
        """Given up, and the Job controller has seen every pod end."""
        return self.failing(reason, message).with_condition("Failed", reason, message)

    def failing(
        self, reason: str = "BackoffLimitExceeded", message: str = "Job has reached the specified backoff limit"
    ) -> Self:
        """Given up, while a pod may still be ending."""
        return self.with_condition("FailureTarget", reason, message)

    def let_go(self, seconds: int = 3600) -> Self:
        """Its end was recorded."""
        return replace(self, spec={**self.spec, "ttlSecondsAfterFinished": seconds})

    def deleting(self) -> Self:
        """Somebody deleted it."""
        return replace(self, metadata={**self.metadata, "deletionTimestamp": FINISHED})

    def manifest(self) -> Json:
        """The object."""
        item = copy.deepcopy(job_of(self.task))
        item["metadata"] |= {"uid": self.uid, "resourceVersion": str(self.version), "creationTimestamp": CREATED}
        item["metadata"] |= self.metadata
        item["spec"] |= self.spec
        item["status"] = {"conditions": [dict(condition) for condition in self.conditions]}
        return item


@dataclass(frozen=True)
class PodBuilder:
    """A pod of a Job as the API server serves it: scheduled and created, unless told otherwise."""

    job: JobBuilder
    uid: str = "pod-uid"
    version: int = 20
    metadata: Json = field(default_factory=dict)
    status: Json = field(default_factory=lambda: {"phase": "Pending"})

    def scheduled(self) -> Self:
        """It has a node."""
        return self._with_condition("PodScheduled")

    def ready_to_start(self, since: str = CREATED) -> Self:
        """It has its sandbox, its network and its volumes."""
        return self._with_condition("PodReadyToStartContainers", lastTransitionTime=since)

    def created(self, at: str) -> Self:
        """Set its age."""
        return self._with_metadata(creationTimestamp=at)

    def deleting(self) -> Self:
        """Somebody deleted it, and it has its grace period."""
        return self._with_metadata(deletionTimestamp=FINISHED, deletionGracePeriodSeconds=30)

    def unschedulable(self, message: str = "0/1 nodes are available: 1 Insufficient cpu.") -> Self:
        """No node takes it."""
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        return replace(self, status={"phase": "Pending", "conditions": [condition]})

    def waiting(self, reason: str, message: str = "") -> Self:
        """Its container does not start."""
        state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        return self._with_container("Pending", state)

    def running(self) -> Self:
        """Its container runs."""
        return self._with_container("Running", {"running": {"startedAt": STARTED}})

    def succeeded(self, output: str = "") -> Self:
        """Its container ended well, and wrote ``output`` to $HEADGATE_OUTPUT."""
        return self._with_container("Succeeded", self._ended(0, "Completed", output))

    def failed(self, code: int = 1, because: str = "Error", said: str = "", **status: str) -> Self:
        """Its container ended badly; ``status`` are members of the pod's status, such as ``reason="Evicted"``."""
        return self._with_container("Failed", self._ended(code, because, said), **status)

    def refused(self, reason: str, message: str) -> Self:
        """The kubelet ended it before its container was made."""
        return replace(self, status={"phase": "Failed", "reason": reason, "message": message, "startTime": STARTED})

    def manifest(self) -> Json:
        """The object."""
        parent = self.job.manifest()
        name = parent["metadata"]["name"]
        labels = {**parent["metadata"]["labels"], "batch.kubernetes.io/job-name": name, "job-name": name}
        metadata = {
            "name": f"{name}-{self.uid}",
            "namespace": parent["metadata"]["namespace"],
            "uid": self.uid,
            "resourceVersion": str(self.version),
            "creationTimestamp": CREATED,
            "labels": labels,
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata | self.metadata,
            "status": copy.deepcopy(self.status),
        }

    def _with_metadata(self, **members: Any) -> Self:
        return replace(self, metadata={**self.metadata, **members})

    def _with_condition(self, kind: str, **members: str) -> Self:
        conditions = [*self.status.get("conditions", ()), {"type": kind, "status": "True", **members}]
        return replace(self, status={**self.status, "conditions": conditions})

    def _with_container(self, phase: str, state: Json, **status: str) -> Self:
        container = {"name": "main", "image": IMAGE, "ready": phase == "Running", "restartCount": 0, "state": state}
        scheduled = {"type": "PodScheduled", "status": "True"}
        built = {"phase": phase, "startTime": CREATED, "conditions": [scheduled], "containerStatuses": [container]}
        return replace(self, status={**built, **status})

    def _ended(self, code: int, reason: str, said: str) -> Json:
        message = {"message": said} if said else {}
        return {
            "terminated": {"exitCode": code, "reason": reason, "startedAt": STARTED, "finishedAt": FINISHED, **message}
        }


def a_job(task: JobTask | None = None, **members: Any) -> JobBuilder:
    """A Job that the API server has just made; ``members`` are ``uid`` and ``version``."""
    return JobBuilder(task or a_task(), **members)


def a_pod(of: JobBuilder | None = None, **members: Any) -> PodBuilder:
    """A pod that was just made; ``members`` are ``uid`` and ``version``."""
    return PodBuilder(of or a_job(), **members)


def a_warning(
    reason: str,
    message: str = "",
    at: str = "2026-03-01T12:00:05Z",
    *,
    kind: str = "Pod",
    name: str = "pod",
    namespace: str = "acme",
    uid: str = "pod-uid",
    version: int = 50,
) -> Json:
    """An Event as Kubernetes' components write it."""
    return {
        "metadata": {"name": f"{name}.{version}", "namespace": namespace, "resourceVersion": str(version)},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace, "uid": uid},
    }


def an_owned_namespace(name: str, workspace: str = "acme") -> Json:
    """A namespace of a Workspace, as the API server serves it."""
    labels = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": workspace}
    return {"metadata": {"name": name, "uid": f"namespace-{name}", "resourceVersion": "1", "labels": labels}}
