"""A run with work for a runner -> the Job that does it: one pod for all the run's built-in nodes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from headgate.api.container import SecretKeyRef
from headgate.api.workspace import WorkspaceSpec
from headgate.desired.job import RUN_LABEL, SERVICE_ACCOUNT, WORKFLOW_LABEL, WORKSPACE_ID_ANNOTATION, label_value
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL, WORKSPACE_LABEL, Manifest
from headgate.desired.placement import placement
from headgate.domain.addresses import Block, internet, reachable
from headgate.domain.attempt import CONTAINER
from headgate.domain.runner_task import AUDIENCE, GRACE_SECONDS, runner_job_name, secret_variable

NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
COMPONENT = "runner"
NUMBER_LABEL = "headgate.dev/runner"
TOKEN_SECONDS = 3600

_USER = 65532
_TOKEN_PATH = "/var/run/secrets/headgate"  # noqa: S105 - a folder
_RESOURCES = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}


@dataclass(frozen=True)
class RunnerPods:
    """What is the same for all runners."""

    gateway_url: str
    image: str
    pull_policy: str = "IfNotPresent"
    """Where the Workspace says nothing."""
    idle_seconds: float = 5.0


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


def allowed_networks(workspace: WorkspaceSpec, closed: Iterable[str] = ()) -> tuple[Block, ...]:
    """Where http nodes may go: public addresses, and ranges that the Workspace names. NetworkPolicies come on top."""
    shut = tuple(closed)
    named = (reachable(rule.cidr, shut) for rule in workspace.network.egress if rule.cidr is not None)
    return (*internet(shut), *(block for block in named if block is not None))


def _pod(work: RunnerWork, pods: RunnerPods, workspace: WorkspaceSpec, closed: Iterable[str]) -> dict[str, Any]:
    token = {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    return {
        "restartPolicy": "Never",
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(GRACE_SECONDS) + 10,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(work, pods, workspace, closed)],
        **placement(workspace),
        "volumes": [
            {"name": "token", "projected": {"sources": [token]}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
    }


def _container(work: RunnerWork, pods: RunnerPods, workspace: WorkspaceSpec, closed: Iterable[str]) -> dict[str, Any]:
    networks = [dict(block.to_wire()) for block in allowed_networks(workspace, closed)]
    values = {
        "HEADGATE_RUNNER_GATEWAY_URL": pods.gateway_url,
        "HEADGATE_RUNNER_RUN_ID": str(work.run_id),
        "HEADGATE_RUNNER_TOKEN_PATH": f"{_TOKEN_PATH}/token",
        "HEADGATE_RUNNER_IDLE_SECONDS": f"{pods.idle_seconds:g}",
        "HEADGATE_RUNNER_NETWORKS": json.dumps(networks, separators=(",", ":")),
    }
    return {
        "name": CONTAINER,
        "image": pods.image,
        "imagePullPolicy": workspace.images.pull_policy or pods.pull_policy,
        # Scripts can write to the folder in which it starts: nothing is imported from there.
        "command": ["python", "-P", "-m", "headgate.runner"],
        "env": [{"name": name, "value": value} for name, value in values.items()]
        + [{"name": secret_variable(ref), "valueFrom": {"secretKeyRef": ref.to_wire()}} for ref in work.secrets],
        "resources": _RESOURCES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "token", "mountPath": _TOKEN_PATH, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
        ],
    }
