"""Container nodes that run shell scripts."""

from __future__ import annotations

import asyncio
from typing import Any

from hack.kube import Kube
from headgate.cluster.resources import JOBS, PODS
from tests.support.cluster import Cluster
from tests.support.waiting import eventually

_GATE = "/tmp/go"
HELD = f"trap 'exit 143' TERM; until test -e {_GATE}; do sleep 0.1; done"
"""A script that goes on when ``let_go`` says so: no time decides what is seen while it runs."""


def lasting(seconds: int) -> str:
    """A script that takes so long, unless it is told to end: as a container's first process ``sleep`` alone is deaf."""
    return f"trap 'exit 143' TERM; sleep {seconds} & wait"


def shell(cluster: Cluster, script: str, **members: Any) -> dict[str, Any]:
    """A container node that runs a shell script; ``members`` are others of its container."""
    return {"container": {"image": cluster.image, "command": ["sh", "-c", script], **members}}


async def let_go(cluster: Cluster, kube: Kube, namespace: str, labels: str) -> None:
    """Let the script go on that is held in the pod with these labels."""

    async def opened() -> bool:
        names = [pod["metadata"]["name"] for pod in await cluster.list(PODS, namespace, labels)]
        commands = [("exec", f"--namespace={namespace}", name, "--", "touch", _GATE) for name in names]
        return bool(names) and all([await asyncio.to_thread(kube.succeeds, *command) for command in commands])

    await eventually(opened, every=0.5, what=f"the gate of pods with {labels}")


async def time_out(cluster: Cluster, namespace: str, labels: str) -> None:
    """Let the time of the Job with these labels be over, as if its node had taken too long."""
    [job] = await cluster.list(JOBS, namespace, labels)
    await cluster.kube.merge_patch(JOBS, job["metadata"]["name"], namespace, {"spec": {"activeDeadlineSeconds": 1}})
