"""A run with work for a runner -> the Job that does it: one pod for all the run's built-in nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from headgate.api.container import SecretKeyRef
from headgate.api.workspace import WorkspaceSpec
from headgate.desired.job import RUN_LABEL, WORKFLOW_LABEL, WORKSPACE_ID_ANNOTATION, label_value
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL, WORKSPACE_LABEL, Manifest
from headgate.desired.placement import placement
from headgate.desired.runner_pod import (
    COMPONENT,
    COMPONENT_LABEL,
    NAME_LABEL,
    RESOURCES,
    TOKEN_PATH,
    RunnerPods,
    confined_container,
    confined_pod,
    networks_of,
    temporary_mount,
    temporary_volume,
    token_volume,
)
from headgate.domain.attempt import CONTAINER
from headgate.domain.runner_task import GRACE_SECONDS, runner_job_name, secret_variable

NUMBER_LABEL = "headgate.dev/runner"


@dataclass(frozen=True)
class RunnerWork:
    """What a runner is for."""

    workspace_id: UUID
    workspace: str
    namespace: str
    workflow: str
    run_id: UUID
    number: int
    """Which runner of the run it is, from 1."""
    secrets: tuple[SecretKeyRef, ...] = ()
    """What the nodes of the run's version name; only the kubelet reads them."""


def runner_job(work: RunnerWork, pods: RunnerPods, workspace: WorkspaceSpec, closed: Iterable[str] = ()) -> Manifest:
    """The Job. ``closed`` are addresses that no http node reaches, such as the API server's."""
    labels = {
        MANAGED_BY_LABEL: MANAGED_BY,
        NAME_LABEL: MANAGED_BY,
        COMPONENT_LABEL: COMPONENT,
        WORKSPACE_LABEL: work.workspace,
        WORKFLOW_LABEL: label_value(work.workflow),
        RUN_LABEL: str(work.run_id),
        NUMBER_LABEL: str(work.number),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": runner_job_name(work.workflow, work.run_id, work.number),
            "namespace": work.namespace,
            "labels": labels,
            "annotations": {WORKSPACE_ID_ANNOTATION: str(work.workspace_id)},
        },
        "spec": {
            # Another runner is another Job: its number tells whose the leases are that a lost one leaves.
            "backoffLimit": 0,
            "template": {"metadata": {"labels": labels}, "spec": _pod(work, pods, workspace, closed)},
        },
    }


def _pod(work: RunnerWork, pods: RunnerPods, workspace: WorkspaceSpec, closed: Iterable[str]) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        **confined_pod(),
        "terminationGracePeriodSeconds": int(GRACE_SECONDS) + 10,
        "containers": [_container(work, pods, workspace, closed)],
        **placement(workspace),
        "volumes": [token_volume(), temporary_volume()],
    }


def _container(work: RunnerWork, pods: RunnerPods, workspace: WorkspaceSpec, closed: Iterable[str]) -> dict[str, Any]:
    values = {
        "HEADGATE_RUNNER_GATEWAY_URL": pods.gateway_url,
        "HEADGATE_RUNNER_RUN_ID": str(work.run_id),
        "HEADGATE_RUNNER_TOKEN_PATH": f"{TOKEN_PATH}/token",
        "HEADGATE_RUNNER_IDLE_SECONDS": f"{pods.idle_seconds:g}",
        "HEADGATE_RUNNER_NETWORKS": networks_of(workspace, closed),
    }
    return {
        "name": CONTAINER,
        "image": pods.image,
        "imagePullPolicy": workspace.images.pull_policy or pods.pull_policy,
        # Scripts can write to the folder in which it starts: nothing is imported from there.
        "command": ["python", "-P", "-m", "headgate.runner"],
        "env": [{"name": name, "value": value} for name, value in values.items()]
        + [{"name": secret_variable(ref), "valueFrom": {"secretKeyRef": ref.to_wire()}} for ref in work.secrets],
        "resources": dict(RESOURCES),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": confined_container(),
        "volumeMounts": [
            {"name": "token", "mountPath": TOKEN_PATH, "readOnly": True},
            temporary_mount(),
        ],
    }
