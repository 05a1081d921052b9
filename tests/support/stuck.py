"""Nodes of which no pod starts, and what a run says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.cluster import Cluster
from tests.support.shell import shell


@dataclass(frozen=True)
class Stuck:
    """A node that does not start."""

    node: Callable[[Cluster], dict[str, Any]]
    reason: str
    """For which a run of it is not Ready."""


WAITING: Mapping[str, Stuck] = {
    "missing image": Stuck(
        lambda _: {"container": {"image": "localhost/no/such-image:1", "imagePullPolicy": "Never"}}, "ImagePull"
    ),
    "missing secret in a variable": Stuck(
        lambda cluster: shell(
            cluster, "true", env=[{"name": "S", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}}]
        ),
        "MissingSecret",
    ),
    "missing secret as files": Stuck(
        lambda cluster: shell(cluster, "true", mounts=[{"path": "/s", "secret": "absent"}]), "MissingSecret"
    ),
    "more than any node has": Stuck(
        lambda cluster: shell(cluster, "true", resources={"requests": {"cpu": "900"}, "limits": {"cpu": "900"}}),
        "Unschedulable",
    ),
}
