"""The Deployment of a namespace's pool: two containers, of which the one that executes scripts knows nothing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from headgate.desired.keys import DEPLOYMENT
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL, WORKSPACE_LABEL, Manifest, child
from headgate.desired.placement import placement
from headgate.desired.runner_pod import (
    COMPONENT,
    COMPONENT_LABEL,
    NAME_LABEL,
    TOKEN_PATH,
    RunnerPods,
    confined_container,
    confined_pod,
    networks_of,
    token_volume,
)
from headgate.domain.amounts import Amount
from headgate.domain.attempt import CONTAINER
from headgate.domain.cost import POOL_REQUESTS, SCRIPT_REQUESTS
from headgate.domain.runner_task import GRACE_SECONDS, POOL_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.desired.context import NamespaceContext

POOL_LABEL = "headgate.dev/runners"
"""On pods of pools, with the value ``pool``: what the Deployment selects, and what no Job's pod has."""
SCRIPTS_CONTAINER = "scripts"
DRAIN_SECONDS = 60
"""What attempts under way have to end by themselves when a runner is told to end."""

_ROOM = "/run/headgate"
_PROBE_PORT, _SCRIPTS_PROBE_PORT = 8081, 8082
_STUCK_GRACE_SECONDS = 5
_TMP_MIB = 256
_RUNNER_RESOURCES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"requests": POOL_REQUESTS, "limits": {"cpu": "500m", "memory": "256Mi"}}
)
_SCRIPT_LIMITS: Mapping[str, str] = MappingProxyType({"cpu": "1", "memory": "512Mi"})
_OF_PROCESS = 75
"""Percent of the container's memory that one process of a script gets for data: the rest is its host's."""


def pool(context: NamespaceContext) -> tuple[Manifest, ...]:
    """The pool of the namespace, where it has one."""
    pods = context.facts.runner_pods
    return () if pods is None or context.runners is None else (runner_pool(context, pods, context.runners),)


def runner_pool(context: NamespaceContext, pods: RunnerPods, replicas: int) -> Manifest:
    """The Deployment with so many runners.

    A rollout makes the new runner before it ends the old one, where the quota has room for that; runners of both
    releases may claim side by side.
    """
    own = {POOL_LABEL: "pool"}
    labels = {
        MANAGED_BY_LABEL: MANAGED_BY,
        NAME_LABEL: MANAGED_BY,
        COMPONENT_LABEL: COMPONENT,
        WORKSPACE_LABEL: context.owner,
        **own,
    }
    return child(
        DEPLOYMENT,
        name=POOL_NAME,
        namespace=context.namespace,
        workspace=context.owner,
        labels={NAME_LABEL: MANAGED_BY, COMPONENT_LABEL: COMPONENT},
        spec={
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": own},
            # Where the quota is used up by the old ones, the new ones have to take their place.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            "template": {"metadata": {"labels": labels}, "spec": _pod(context, pods)},
        },
    )


def _pod(context: NamespaceContext, pods: RunnerPods) -> dict[str, Any]:
    workspace = context.workspace.spec
    image = {"image": pods.image, "imagePullPolicy": workspace.images.pull_policy or pods.pull_policy}
    return {
        **confined_pod(),
        "terminationGracePeriodSeconds": DRAIN_SECONDS + int(GRACE_SECONDS) + 30,
        "containers": [_runner(context, pods, image), _scripts(context, image)],
        **placement(workspace),
        "volumes": [
            token_volume(),
            {"name": "room", "emptyDir": {"sizeLimit": "1Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": f"{_TMP_MIB}Mi"}},
        ],
    }


def _runner(context: NamespaceContext, pods: RunnerPods, image: dict[str, Any]) -> dict[str, Any]:
    memory = Amount.parse(_script_resources(context)["limits"]["memory"])
    values = {
        "HEADGATE_RUNNER_GATEWAY_URL": pods.gateway_url,
        "HEADGATE_RUNNER_TOKEN_PATH": f"{TOKEN_PATH}/token",
        "HEADGATE_RUNNER_NETWORKS": networks_of(context.workspace.spec, context.facts.api_addresses),
        "HEADGATE_RUNNER_SCRIPTS_SOCKET": f"{_ROOM}/scripts.sock",
        "HEADGATE_RUNNER_MEMORY_BYTES": str(max(1, memory.nanos * _OF_PROCESS // 100 // 10**9)),
        "HEADGATE_RUNNER_FILE_BYTES": str(_TMP_MIB * 1024 * 1024 // 2),
        "HEADGATE_RUNNER_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "HEADGATE_RUNNER_PROBE_PORT": str(_PROBE_PORT),
    }
    return {
        "name": CONTAINER,
        **image,
        "command": ["python", "-P", "-m", "headgate.runner"],
        "env": [{"name": name, "value": value} for name, value in values.items()],
        "resources": {kind: dict(amounts) for kind, amounts in _RUNNER_RESOURCES.items()},
        "livenessProbe": _probe(_PROBE_PORT),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": confined_container(),
        "volumeMounts": [
            {"name": "token", "mountPath": TOKEN_PATH, "readOnly": True},
            {"name": "room", "mountPath": _ROOM},
        ],
    }


def _scripts(context: NamespaceContext, image: dict[str, Any]) -> dict[str, Any]:
    values = {
        "HEADGATE_SCRIPTS_SOCKET": f"{_ROOM}/scripts.sock",
        "HEADGATE_SCRIPTS_PROBE_PORT": str(_SCRIPTS_PROBE_PORT),
        "HEADGATE_SCRIPTS_EMPTIED": "/tmp:/dev/shm:/dev/mqueue",  # noqa: S108 - the container's own
    }
    return {
        "name": SCRIPTS_CONTAINER,
        **image,
        # Scripts can write to the folder in which it starts: nothing is imported from there.
        "command": ["python", "-P", "-m", "headgate.runner.script_host"],
        "env": [{"name": name, "value": value} for name, value in values.items()],
        "resources": _script_resources(context),
        "livenessProbe": _probe(_SCRIPTS_PROBE_PORT),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": confined_container(),
        "volumeMounts": [
            # Calling does not write. A script that could would take the place of what is called.
            {"name": "room", "mountPath": _ROOM, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
        ],
    }


def _script_resources(context: NamespaceContext) -> dict[str, dict[str, str]]:
    said = context.workspace.spec.runners.resources
    limits = _canonical({**_SCRIPT_LIMITS, **said.limits})
    requests = _canonical({**SCRIPT_REQUESTS, **said.requests})
    for name, text in requests.items():
        # What is asked for by default must not exceed a limit that is said.
        if name in limits and Amount.parse(limits[name]) < Amount.parse(text):
            requests[name] = limits[name]
    return {"requests": requests, "limits": limits}


def _canonical(amounts: Mapping[str, str]) -> dict[str, str]:
    return {name: Amount.parse(text).in_resource_list().canonical() for name, text in amounts.items()}


def _probe(port: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": "/", "port": port, "scheme": "HTTP"},
        "initialDelaySeconds": 20,
        "periodSeconds": 20,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
        # What does not move drains nothing: the pod's own grace is for those that are told to end.
        "terminationGracePeriodSeconds": _STUCK_GRACE_SECONDS,
    }
