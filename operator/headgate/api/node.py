"""The nodes of a workflow: triggers, actions and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.container import Container, EnvValueFrom, EnvVar, Mount, Resources, SecretKeyRef
from headgate.api.cron import CRON_MESSAGE, CRON_PATTERN
from headgate.api.rules import Form, ListSet, Rule, bind, exactly_one, listed
from headgate.api.scalars import Duration, PositiveDuration

__all__ = [
    "CONFIG_OF",
    "DEFAULT_TIMEOUT",
    "Container",
    "DependencyRef",
    "EnvValueFrom",
    "EnvVar",
    "Expression",
    "Manual",
    "MissedRuns",
    "Mount",
    "Node",
    "NodeConfig",
    "NodeId",
    "NodeType",
    "Resources",
    "Retry",
    "Schedule",
    "SecretKeyRef",
]

_NODE_ID = r"[a-z]([-_a-z0-9]*[a-z0-9])?"

NodeId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40),
    Form(
        pattern=rf"^{_NODE_ID}$",
        message="use lower-case letters, digits, '-' and '_' only, with a letter first and a letter or digit last",
    ),
]
"""Names a node inside its workflow."""

DependencyRef = Annotated[
    str,
    StringConstraints(min_length=1, max_length=81),
    Form(
        pattern=rf"^{_NODE_ID}(:[A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?)?$",
        message="write the id of a node, or <id>:<branch> for a branch of a condition other than true",
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

    cron: Annotated[
        str,
        StringConstraints(min_length=9, max_length=128),
        Form(pattern=CRON_PATTERN, message=CRON_MESSAGE),
    ]
    """Five fields: minute, hour, day of month, month, day of week."""
    time_zone: Annotated[
        str,
        StringConstraints(min_length=1, max_length=64),
        Form(
            pattern=r"^[A-Za-z][-+_A-Za-z0-9]*(/[A-Za-z0-9][-+_A-Za-z0-9]*)*$",
            message="write the name of an IANA time zone, such as Europe/Berlin or UTC",
        ),
    ] = "UTC"
    """IANA time zone in which the expression is read, such as ``Europe/Berlin``."""
    missed_runs: MissedRuns = MissedRuns.LATEST
    """Which ticks that passed while Headgate was down run later: None, the Latest, or All (the last 100)."""


class Manual(KubeModel):
    """Lets a WorkflowRun start a run here."""


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


CONFIG_OF: Mapping[NodeType, tuple[str, ...]] = MappingProxyType(
    {
        NodeType.TRIGGER: ("schedule", "manual"),
        NodeType.ACTION: ("container",),
        NodeType.CONDITION: ("expression",),
    }
)
"""The members of NodeConfig that fit each type of node."""
_CONFIGS = tuple(name for names in CONFIG_OF.values() for name in names)


def _config_fits(node_type: NodeType) -> Rule:
    members = CONFIG_OF[node_type]
    return Rule(
        cel=f"self.type != '{node_type}' || {' || '.join(f'has(self.config.{name})' for name in members)}",
        message=f"set config.{listed(members)}: the node is of type {node_type}",
        at=".config",
    )


def _actions_only(name: str) -> Rule:
    return Rule(
        cel=f"self.type == 'action' || !has(self.{name})",
        message=f"remove {name}: only actions have one",
        reason="FieldValueForbidden",
        at=f".{name}",
    )


class NodeConfig(KubeModel):
    """What the node does: exactly one of these, matching the node's type."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(_CONFIGS), message=f"set exactly one of {listed(_CONFIGS)}"),
    )

    schedule: Schedule | None = None
    """Trigger: at the times of a cron expression."""
    manual: Manual | None = None
    """Trigger: by a WorkflowRun."""
    container: Container | None = None
    """Action: run a container to its end.

    It may write up to 4096 bytes of JSON to the file named by ``$HEADGATE_OUTPUT``; later nodes read them as
    ``nodes.<id>.output``.
    """
    expression: Expression | None = None
    """Condition: a CEL expression whose value (true, false, or a string) names the branch taken."""


_ONE_BRANCH = Rule(
    cel=bind("ids", "self.map(d, d.split(':')[0])", "ids.all(id, ids.exists_one(other, other == id))"),
    message="name each node once: a node that depends on two branches of a condition would never run",
)


class Node(KubeModel):
    """One node of the graph."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *(_config_fits(node_type) for node_type in NodeType),
        Rule(
            cel="self.type != 'trigger' || !has(self.dependsOn) || self.dependsOn.size() == 0",
            message="remove dependsOn: a trigger starts runs and depends on nothing",
            reason="FieldValueForbidden",
            at=".dependsOn",
        ),
        Rule(
            cel="self.type == 'trigger' || (has(self.dependsOn) && self.dependsOn.size() > 0)",
            message="name the nodes that come before in dependsOn: a trigger at least",
            reason="FieldValueRequired",
            at=".dependsOn",
        ),
        _actions_only("retry"),
        _actions_only("timeout"),
    )

    id: NodeId
    """Name of the node, unique in the workflow."""
    type: NodeType
    """trigger, action or condition."""
    depends_on: Annotated[tuple[DependencyRef, ...], Field(max_length=20), ListSet(), _ONE_BRANCH] = ()
    """Nodes listed earlier that come before this one. Of several triggers, whichever fired; of other nodes, all.

    A condition is followed on ``true``, or as ``id:branch`` on the branch named.
    """
    config: NodeConfig
    """What the node does."""
    retry: Annotated[Retry, Field(exclude_if=_is_default_retry)] = Field(default_factory=Retry)
    """How often a failed attempt is repeated; actions only."""
    timeout: Annotated[PositiveDuration, Field(exclude_if=_is_default_timeout)] = DEFAULT_TIMEOUT
    """How long one attempt may take, waiting for its pod included; actions only."""
