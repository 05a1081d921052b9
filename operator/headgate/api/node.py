"""The nodes of a workflow: triggers, actions and conditions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.rules import ListMap
from headgate.api.scalars import DnsSubdomain, Duration, EnvName, Quantity

NodeId = Annotated[str, StringConstraints(pattern=r"^[a-z]([-_a-z0-9]*[a-z0-9])?$", min_length=1, max_length=40)]
"""Names a node inside its workflow."""

DependencyRef = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z]([-_a-z0-9]*[a-z0-9])?(:[A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?)?$", max_length=81
    ),
]
"""A node id, or ``id:branch`` for a branch of a condition other than ``true``."""

Expression = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
"""A CEL expression over ``inputs`` and ``nodes.<id>.output``."""


class NodeType(StrEnum):
    """The three families of nodes."""

    TRIGGER = "trigger"
    ACTION = "action"
    CONDITION = "condition"


class MissedRuns(StrEnum):
    """What happens to ticks that passed while Headgate could not act on them."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


class Schedule(KubeModel):
    """Starts a run at the times of a cron expression."""

    cron: Annotated[str, StringConstraints(min_length=9, max_length=128)]
    """Five fields: minute, hour, day of month, month, day of week."""
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"
    """IANA time zone in which the expression is read, such as ``Europe/Berlin``."""
    missed_runs: MissedRuns = MissedRuns.LATEST
    """Which ticks that passed while Headgate was down run later: None, the Latest, or All (the last 100)."""


class Manual(KubeModel):
    """Lets a WorkflowRun start a run here."""


class SecretKeyRef(KubeModel):
    """One key of a Secret in the workflow's namespace."""

    name: DnsSubdomain
    """Name of the Secret."""
    key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253)]
    """Key in the Secret."""


class EnvValueFrom(KubeModel):
    """Where the value of an environment variable comes from."""

    secret_key_ref: SecretKeyRef
    """A key of a Secret. Only the reference is kept by Headgate; the kubelet reads the value."""


class EnvVar(KubeModel):
    """An environment variable: a value, or a reference."""

    name: EnvName
    """Name of the variable. Names that start with HEADGATE_ are Headgate's own."""
    value: Annotated[str, StringConstraints(max_length=4096)] | None = None
    """The value; ``${{ ... }}`` in it is replaced by the value of the CEL expression."""
    value_from: EnvValueFrom | None = None
    """Where the value comes from, instead of ``value``."""


class Resources(KubeModel):
    """Compute of a container."""

    requests: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """What is reserved."""
    limits: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """What may be used at most."""


class Mount(KubeModel):
    """Files for a container from a ConfigMap or a Secret of the workflow's namespace, read-only."""

    path: Annotated[str, StringConstraints(pattern=r"^/[^:]*$", min_length=2, max_length=255)]
    """Absolute directory in the container."""
    config_map: DnsSubdomain | None = None
    """Name of the ConfigMap whose keys become files."""
    secret: DnsSubdomain | None = None
    """Name of the Secret whose keys become files."""


Word = Annotated[str, StringConstraints(max_length=4096)]


class Container(KubeModel):
    """Runs a container to its end, as one Job per attempt.

    The container may write up to 4096 bytes of JSON to the file named by ``$HEADGATE_OUTPUT``; later nodes read it as
    ``nodes.<id>.output``.
    """

    image: Annotated[str, StringConstraints(pattern=r"^[^\s]+$", min_length=1, max_length=512)]
    """The image."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls the image."""
    command: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
    """Entrypoint; the image's own when empty. ``${{ ... }}`` is replaced."""
    args: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
    """Arguments. ``${{ ... }}`` is replaced."""
    env: Annotated[
        tuple[EnvVar, ...],
        Field(max_length=64),
        ListMap("name"),
    ] = ()
    """Environment variables."""
    mounts: Annotated[
        tuple[Mount, ...],
        Field(max_length=16),
        ListMap("path"),
    ] = ()
    """Files from ConfigMaps and Secrets."""
    resources: Resources = Field(default_factory=Resources)
    """Requests and limits; the Quota's container defaults where they are silent."""
    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] = 65532
    """Numeric user id of the process; never root."""


class Retry(KubeModel):
    """How often, and how patiently, a failed attempt is repeated."""

    limit: Annotated[int, Field(ge=0, le=20)] = 0
    """Attempts after the first at most."""
    initial_delay: Duration = "5s"
    """Wait before the second attempt."""
    factor: Annotated[int, Field(ge=1, le=10)] = 2
    """By how much each further wait is longer."""
    max_delay: Duration = "5m"
    """The longest wait."""


DEFAULT_TIMEOUT = "24h"


def _is_default_retry(retry: Retry) -> bool:
    """Whether an object need not say it: only actions may, so the default is never written out."""
    return retry == Retry()


def _is_default_timeout(timeout: str) -> bool:
    """Whether an object need not say it: only actions may, so the default is never written out."""
    return timeout == DEFAULT_TIMEOUT


class NodeConfig(KubeModel):
    """What the node does: exactly one of these, matching the node's type."""

    schedule: Schedule | None = None
    """Trigger: at the times of a cron expression."""
    manual: Manual | None = None
    """Trigger: by a WorkflowRun."""
    container: Container | None = None
    """Action: run a container."""
    expression: Expression | None = None
    """Condition: a CEL expression whose value (true, false, or a string) names the branch taken."""


class Node(KubeModel):
    """One node of the graph."""

    id: NodeId
    """Name of the node, unique in the workflow."""
    type: NodeType
    """trigger, action or condition."""
    depends_on: Annotated[tuple[DependencyRef, ...], Field(max_length=20)] = ()
    """Nodes listed earlier that come before this one. Of several triggers, whichever fired; of other nodes, all.

    A condition is followed on ``true``, or as ``id:branch`` on the branch named.
    """
    config: NodeConfig
    """What the node does."""
    retry: Annotated[Retry, Field(exclude_if=_is_default_retry)] = Field(default_factory=Retry)
    """How often a failed attempt is repeated; actions only."""
    timeout: Annotated[Duration, Field(exclude_if=_is_default_timeout)] = DEFAULT_TIMEOUT
    """How long one attempt may take, waiting for its pod included; actions only."""
