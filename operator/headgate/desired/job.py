"""An attempt -> its Job. Pod specs are built from an allow-list of fields; no tenant's YAML is ever merged in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from headgate.api.node import Container, EnvVar, Mount, Resources
from headgate.api.workspace import WorkspaceSpec
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL, MODE_LABEL, WORKSPACE_LABEL, Manifest
from headgate.desired.placement import ASKS_NOTHING, placement
from headgate.domain.attempt import CONTAINER
from headgate.domain.task import JobTask, TaskRef

SERVICE_ACCOUNT = "headgate-run"
"""The identity of run pods: it may do nothing, and no token is mounted."""
WORKSPACE_ID_ANNOTATION = "headgate.dev/workspace-id"
WORKFLOW_LABEL = "headgate.dev/workflow"
RUN_LABEL = "headgate.dev/run"
NODE_LABEL = "headgate.dev/node"
ATTEMPT_LABEL = "headgate.dev/attempt"
JOB_LABEL = "headgate.dev/job"
"""On an attempt's Job, and not on its pod: its own name, as only by labels several are deleted at once."""
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
"""On a pod, which Kubernetes puts there: the name of its Job."""

OUTPUT_PATH = "/dev/termination-log"
"""Where a container writes what it gives."""
_LABEL_LENGTH = 63


def job(task: JobTask, workspace: WorkspaceSpec = ASKS_NOTHING) -> Manifest:
    """The Job of an attempt that runs a container. The same attempt always gives the same Job, name included.

    Where the workflow says nothing, its pod is what the Workspace asks of pods.
    """
    return job_of(task, _pod(task, workspace))


def job_of(task: JobTask, pod: Mapping[str, Any], more_labels: Mapping[str, str] = MappingProxyType({})) -> Manifest:
    """The Job of an attempt, whose pod has that spec."""
    labels = {
        MANAGED_BY_LABEL: MANAGED_BY,
        WORKSPACE_LABEL: task.workspace,
        WORKFLOW_LABEL: label_value(task.workflow),
        RUN_LABEL: str(task.ref.run_id),
        NODE_LABEL: task.ref.node,
        ATTEMPT_LABEL: str(task.ref.attempt),
        **({MODE_LABEL: task.mode} if task.mode is not None else {}),
        **more_labels,
    }
    annotations = {WORKSPACE_ID_ANNOTATION: str(task.ref.workspace_id)}
    name = job_name(task.workflow, task.ref)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": task.namespace,
            "labels": {**labels, JOB_LABEL: name},
            "annotations": annotations,
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": max(1, task.timeout_seconds),
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def job_name(workflow: str, ref: TaskRef) -> str:
    """At most 62 characters, readable, and the attempt's alone: 40 bits of a hash of run, node and attempt end it."""
    digest = hashlib.sha256(f"{ref.run_id}/{ref.node}/{ref.attempt}".encode()).hexdigest()[:10]
    return f"{_dns(workflow, 30)}-{_dns(ref.node, 20)}-{digest}"


def task_of(labels: Mapping[str, str], annotations: Mapping[str, str]) -> TaskRef | None:
    """The attempt that a Job says it is, or None where it says none that makes sense."""
    try:
        return TaskRef(
            UUID(annotations[WORKSPACE_ID_ANNOTATION]),
            UUID(labels[RUN_LABEL]),
            labels[NODE_LABEL],
            int(labels[ATTEMPT_LABEL]),
        )
    except (KeyError, ValueError):
        return None


def label_value(text: str) -> str:
    """``text`` as a label's value: itself, or its beginning and a hash where it is too long."""
    if len(text) <= _LABEL_LENGTH:
        return text
    return f"{text[:52]}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def _pod(task: JobTask, workspace: WorkspaceSpec) -> dict[str, Any]:
    container = task.container
    return {
        "restartPolicy": "Never",
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": container.run_as_user,
            "runAsGroup": container.run_as_user,
            "fsGroup": container.run_as_user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(task, container, workspace)],
        **placement(workspace),
        **({"volumes": [_volume(i, mount) for i, mount in enumerate(container.mounts)]} if container.mounts else {}),
    }


def _container(task: JobTask, container: Container, workspace: WorkspaceSpec) -> dict[str, Any]:
    built: dict[str, Any] = {
        "name": CONTAINER,
        "image": container.image,
        "imagePullPolicy": container.image_pull_policy or workspace.images.pull_policy or "IfNotPresent",
        "env": [_env(variable) for variable in container.env] + own_env(task),
        "terminationMessagePath": OUTPUT_PATH,
        "terminationMessagePolicy": "File",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if container.command:
        built["command"] = [literal(word) for word in container.command]
    if container.args:
        built["args"] = [literal(word) for word in container.args]
    if resources := _resources(container.resources):
        built["resources"] = resources
    if container.mounts:
        built["volumeMounts"] = [
            {"name": f"mount-{i}", "mountPath": mount.path, "readOnly": True}
            for i, mount in enumerate(container.mounts)
        ]
    return built


def _env(variable: EnvVar) -> dict[str, Any]:
    if variable.value_from is not None:
        return {"name": variable.name, "valueFrom": variable.value_from.to_wire()}
    return {"name": variable.name, "value": literal(variable.value or "")}


def literal(text: str) -> str:
    """What a workflow says, and what earlier nodes gave, arrives as it is.

    Kubernetes would put variables in place of ``$(NAME)``, and ``$`` in place of every ``$$``.
    """
    return text.replace("$", "$$")


def own_env(task: JobTask) -> list[dict[str, Any]]:
    """Variables that tell which attempt it is, and where to write what it gives."""
    values = {
        "HEADGATE_WORKSPACE": task.workspace,
        "HEADGATE_WORKFLOW": task.workflow,
        "HEADGATE_RUN": str(task.ref.run_id),
        "HEADGATE_NODE": task.ref.node,
        "HEADGATE_ATTEMPT": str(task.ref.attempt),
        "HEADGATE_OUTPUT": OUTPUT_PATH,
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _resources(resources: Resources) -> dict[str, Any]:
    both = {"requests": dict(resources.requests), "limits": dict(resources.limits)}
    return {key: value for key, value in both.items() if value}


def _volume(index: int, mount: Mount) -> dict[str, Any]:
    if mount.secret is not None:
        return {"name": f"mount-{index}", "secret": {"secretName": mount.secret}}
    return {"name": f"mount-{index}", "configMap": {"name": mount.config_map}}


def _dns(text: str, length: int) -> str:
    return re.sub(r"[^a-z0-9-]", "-", text)[:length].strip("-") or "x"
