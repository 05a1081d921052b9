"""What the work queue holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from headgate.cluster.resources import JOBS, QUOTAS, WORKFLOW_RUNS, WORKFLOWS, WORKSPACES
from headgate.desired.keys import ApiResource, ObjectKey


class Topic(StrEnum):
    """What kind of reconciliation a key asks for."""

    WORKSPACE = "workspace"
    QUOTA = "quota"
    WORKFLOW = "workflow"
    RUN = "run"
    JOB = "job"


RESOURCE_OF: dict[Topic, ApiResource] = {
    Topic.WORKSPACE: WORKSPACES,
    Topic.QUOTA: QUOTAS,
    Topic.WORKFLOW: WORKFLOWS,
    Topic.RUN: WORKFLOW_RUNS,
    Topic.JOB: JOBS,
}


@dataclass(frozen=True)
class Key:
    """One object to reconcile."""

    topic: Topic
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.topic} {self.namespace}/{self.name}" if self.namespace else f"{self.topic} {self.name}"

    @property
    def object_key(self) -> ObjectKey:
        """The object in the cache."""
        return RESOURCE_OF[self.topic].key(self.name, self.namespace)


def key_for(topic: Topic, key: ObjectKey) -> Key:
    """The queue's key of an object."""
    return Key(topic, key.name, key.namespace)
