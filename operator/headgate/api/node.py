"""The nodes of a workflow: triggers, actions and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.builtin import Http, Script, Sql
from headgate.api.connectors import Connector
from headgate.api.container import Container, EnvValueFrom, EnvVar, Mount, Resources, SecretKeyRef
from headgate.api.flow import Approval, Call, Expression, ForEach, Memoize, OnFailure, Retry, Transform
from headgate.api.rules import Form, ListSet, Rule, bind, exactly_one, listed
from headgate.api.scalars import PositiveDuration
from headgate.api.triggers import ConcurrencyPolicy, Event, Manual, MissedRuns, Schedule
from headgate.api.webhook import Webhook

__all__ = [
    "CONFIG_OF",
    "DEFAULT_TIMEOUT",
    "Approval",
    "Call",
    "ConcurrencyPolicy",
    "Connector",
    "Container",
    "DependencyRef",
    "EnvValueFrom",
    "EnvVar",
    "Event",
    "Expression",
    "ForEach",
    "Http",
    "Manual",
    "Memoize",
    "MissedRuns",
    "Mount",
    "Node",
    "NodeConfig",
    "NodeId",
    "NodeType",
    "OnFailure",
    "Resources",
    "Retry",
    "Schedule",
    "Script",
    "SecretKeyRef",
    "Sql",
    "Transform",
    "Webhook",
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


class NodeType(StrEnum):
    """The three families of nodes."""

    TRIGGER = "trigger"
    ACTION = "action"
    CONDITION = "condition"


DEFAULT_TIMEOUT = "24h"


def _is_default_retry(retry: Retry) -> bool:
    """Whether an object need not say it: only actions may, so the default is never written out."""
    return retry == Retry()


def _is_default_timeout(timeout: str) -> bool:
    """Whether an object need not say it: only actions may, so the default is never written out."""
    return timeout == DEFAULT_TIMEOUT


def _is_fail(value: OnFailure) -> bool:
    """Whether an object need not say it: only actions may, so the default is never written out."""
    return value is OnFailure.FAIL


def _is_false(value: bool) -> bool:  # noqa: FBT001 - pydantic calls it with the value
    """Whether an object need not say it: only actions may, so the default is never written out."""
    return not value


CONFIG_OF: Mapping[NodeType, tuple[str, ...]] = MappingProxyType(
    {
        NodeType.TRIGGER: ("schedule", "manual", "event", "webhook"),
        NodeType.ACTION: ("container", "script", "http", "sql", "connector", "transform", "workflow", "approval"),
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


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


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
    event: Event | None = None
    """Trigger: by the end of another workflow's run."""
    webhook: Webhook | None = None
    """Trigger: by a signed request of another system."""
    container: Container | None = None
    """Action: run a container to its end.

    It may write up to 4096 bytes of JSON to the file named by ``$HEADGATE_OUTPUT``; later nodes read them as
    ``nodes.<id>.output``.
    """
    script: Script | None = None
    """Action: run a Python or shell script in the runner.

    As a container, it gives what it writes to the file named by ``$HEADGATE_OUTPUT``.
    """
    http: Http | None = None
    """Action: send an HTTP request from the runner.

    It gives ``{status, headers, body}``, the body parsed where it is JSON.
    """
    sql: Sql | None = None
    """Action: run a statement on a Postgres database from the runner.

    It gives ``{rowCount, rows}``, each row a map by column.
    """
    connector: Connector | None = None
    """Action: talk to another system from the runner, or copy what is new from one to another."""
    transform: Transform | None = None
    """Action: compute a value, which it gives."""
    workflow: Call | None = None
    """Action: run another workflow. It gives the outputs of that run."""
    approval: Approval | None = None
    """Action: wait for a person's approval. It gives ``{approved, by, comment}``."""
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
        *(_actions_only(name) for name in ("retry", "timeout", "forEach", "onFailure", "memoize", "final")),
        *(
            Rule(
                cel=f"!has(self.{name}) || !({' || '.join(f'has(self.config.{kind})' for kind in kinds)})",
                message=f"remove {name}: a node that is {listed(_article(kind) for kind in kinds)} has none",
                reason="FieldValueForbidden",
                at=f".{name}",
            )
            for name, kinds in (("forEach", ("approval",)), ("memoize", ("approval", "workflow", "transform")))
        ),
    )

    id: NodeId
    """Name of the node, unique in the workflow."""
    type: NodeType
    """trigger, action or condition."""
    depends_on: Annotated[tuple[DependencyRef, ...], Field(max_length=20), ListSet(), _ONE_BRANCH] = ()
    """Nodes listed earlier that come before this one. Of several triggers, whichever fired; of other nodes, all.

    A condition is followed on ``true``, or as ``id:branch`` on the branch named; an action when it succeeded, as
    ``id:failed`` when it failed for good, and as ``id:ended`` either way.
    """
    config: NodeConfig
    """What the node does."""
    retry: Annotated[Retry, Field(exclude_if=_is_default_retry)] = Field(default_factory=Retry)
    """How often a failed attempt is repeated; actions only."""
    timeout: Annotated[PositiveDuration, Field(exclude_if=_is_default_timeout)] = DEFAULT_TIMEOUT
    """How long one attempt may take, waiting for its pod included; 24h when absent. Actions only."""
    for_each: ForEach | None = None
    """Run the node once for every item of a list; actions only."""
    on_failure: Annotated[OnFailure, Field(exclude_if=_is_fail)] = OnFailure.FAIL
    """Fail ends the run as Failed when the node fails for good; Continue goes on as if it had succeeded without output.

    Either way nodes that depend on ``id:failed`` run then, and those that depend on ``id:ended`` always do.
    """
    memoize: Memoize | None = None
    """Take an earlier output of the same key instead of running; actions only."""
    final: Annotated[bool, Field(exclude_if=_is_false)] = False
    """Run when all other nodes have ended, whatever became of them, also of a run that is cancelled
    gracefully, or whose time is over.

    It reads how the run went as ``run.phase``; actions only.
    """
