"""A script that is executed by itself -> the Job of its attempt: in the image of runners, with nothing else of theirs.

No token and no address of the gateway: its pod is that of a Test or Debug run, for which nothing is opened.
"""

from __future__ import annotations

from typing import Any

from headgate.api.builtin import Script
from headgate.api.node import NodeConfig
from headgate.api.workspace import WorkspaceSpec
from headgate.desired.job import OUTPUT_PATH, job_of, literal, own_env
from headgate.desired.manifest import Manifest
from headgate.desired.placement import ASKS_NOTHING, placement
from headgate.desired.runner_pod import (
    RESOURCES,
    RunnerPods,
    confined_container,
    confined_pod,
    temporary_mount,
    temporary_volume,
)
from headgate.domain.alone import ALONE, SCRIPT_LABEL, TIMEOUT_VARIABLE, carried
from headgate.domain.attempt import CONTAINER
from headgate.domain.runner_task import GRACE_SECONDS, secret_variable, secrets_of
from headgate.domain.task import JobTask


def script_job(task: JobTask, script: Script, pods: RunnerPods, workspace: WorkspaceSpec = ASKS_NOTHING) -> Manifest:
    """The Job of an attempt that runs that script. The same attempt always gives the same Job, name included."""
    pod = {
        "restartPolicy": "Never",
        **confined_pod(),
        "terminationGracePeriodSeconds": int(GRACE_SECONDS) + 10,
        "containers": [_container(task, script, pods, workspace)],
        **placement(workspace),
        "volumes": [temporary_volume()],
    }
    return job_of(task, pod, {SCRIPT_LABEL: ALONE})


def _container(task: JobTask, script: Script, pods: RunnerPods, workspace: WorkspaceSpec) -> dict[str, Any]:
    values = {TIMEOUT_VARIABLE: str(max(1, task.timeout_seconds)), **carried(script)}
    secrets = dict.fromkeys(secrets_of(NodeConfig(script=script)))
    return {
        "name": CONTAINER,
        "image": pods.image,
        "imagePullPolicy": workspace.images.pull_policy or pods.pull_policy,
        # Nothing is imported from the folder in which it starts.
        "command": ["python", "-P", "-m", "headgate.runner.alone"],
        "env": [{"name": name, "value": literal(value)} for name, value in values.items()]
        + [{"name": secret_variable(ref), "valueFrom": {"secretKeyRef": ref.to_wire()}} for ref in secrets]
        + own_env(task),
        "resources": dict(RESOURCES),
        "terminationMessagePath": OUTPUT_PATH,
        "terminationMessagePolicy": "File",
        "securityContext": confined_container(),
        "volumeMounts": [temporary_mount()],
    }
