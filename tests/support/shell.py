"""Container nodes that run shell scripts."""

from __future__ import annotations

from typing import Any

from tests.support.cluster import Cluster


def lasting(seconds: int) -> str:
    """A script that takes so long, unless it is told to end: as a container's first process ``sleep`` alone is deaf."""
    return f"trap 'exit 143' TERM; sleep {seconds} & wait"


def shell(cluster: Cluster, script: str, **members: Any) -> dict[str, Any]:
    """A container node that runs a shell script; ``members`` are others of its container."""
    return {"container": {"image": cluster.image, "command": ["sh", "-c", script], **members}}
