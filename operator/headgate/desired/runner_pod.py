"""What pods of runners have in common, be they of one run or of a pool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from headgate.api.workspace import WorkspaceSpec
from headgate.desired.job import SERVICE_ACCOUNT
from headgate.domain.addresses import Block, internet, reachable
from headgate.domain.cost import RUNNER_REQUESTS
from headgate.domain.runner_task import AUDIENCE

NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
COMPONENT = "runner"
TOKEN_PATH = "/var/run/secrets/headgate"  # noqa: S105 - a folder
TOKEN_SECONDS = 3600
RESOURCES: Mapping[str, Any] = MappingProxyType(
    {"requests": dict(RUNNER_REQUESTS), "limits": {"cpu": "1", "memory": "512Mi"}}
)
"""What a pod holds that executes for one run alone."""
_USER = 65532


@dataclass(frozen=True)
class RunnerPods:
    """What is the same for all runners."""

    gateway_url: str
    image: str
    pull_policy: str = "IfNotPresent"
    """Where the Workspace says nothing."""
    idle_seconds: float = 5.0


def confined_pod() -> dict[str, Any]:
    """Fields of a pod that the Pod Security level restricted asks for, and an account that may do nothing."""
    return {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def confined_container() -> dict[str, Any]:
    """The securityContext of a container of the level restricted, on a file system that nobody writes."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def token_volume() -> dict[str, Any]:
    """The token that the kubelet makes for the gateway alone."""
    token = {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    return {"name": "token", "projected": {"sources": [token]}}


def temporary_volume() -> dict[str, Any]:
    """Where programs may write: nothing of it outlives the pod."""
    return {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}


def temporary_mount() -> dict[str, Any]:
    """The volume where programs look for it."""
    return {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - the pod's own


def networks_of(workspace: WorkspaceSpec, closed: Iterable[str] = ()) -> str:
    """Where http nodes may go, as a runner reads it. ``closed`` are addresses that none reaches."""
    return json.dumps([dict(block.to_wire()) for block in allowed_networks(workspace, closed)], separators=(",", ":"))


def allowed_networks(workspace: WorkspaceSpec, closed: Iterable[str] = ()) -> tuple[Block, ...]:
    """Public addresses, and ranges that the Workspace names. NetworkPolicies come on top."""
    shut = tuple(closed)
    named = (reachable(rule.cidr, shut) for rule in workspace.network.egress if rule.cidr is not None)
    return (*internet(shut), *(block for block in named if block is not None))
