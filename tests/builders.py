"""Fluent, immutable builders of custom resources: each gives the model and the manifest.

    a_workflow("nightly").with_node("load", container("busybox"), after=["by-hand"]).manifest()

Every builder starts from an object that the API server admits, and every `with_...` gives a new builder.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

from headgate.api.base import API_VERSION, CustomResource
from headgate.api.quota import Quota
from headgate.api.workflow import Workflow
from headgate.api.workflow_run import WorkflowRun
from headgate.api.workspace import Workspace

Json = Any
Kind = TypeVar("Kind", bound=CustomResource)
IMAGE = "registry.example.com/tools/task:1.0"


@dataclass(frozen=True)
class Builder(Generic[Kind]):
    """An object under construction. `body` is never changed in place."""

    kind: type[Kind]
    body: Mapping[str, Json]

    def manifest(self) -> dict[str, Json]:
        """The object as someone would apply it."""
        return copy.deepcopy(dict(self.body))

    def model(self) -> Kind:
        """The object as the operator reads it."""
        return self.kind.model_validate(self.manifest())

    def with_value(self, path: str, value: Json) -> Self:
        """Set one value, such as `spec.nodes.0.id`; objects on the way are made, and an index of `+` appends."""
        body = self.manifest()
        target: Json = body
        *way, last = path.split(".")
        for step in way:
            target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
        if not isinstance(target, list):
            target[last] = value
        elif last == "+":
            target.append(value)
        else:
            target[int(last)] = value
        return replace(self, body=body)

    def without(self, path: str) -> Self:
        """Take one value away."""
        body = self.manifest()
        target: Json = body
        *way, last = path.split(".")
        for step in way:
            target = target[int(step)] if isinstance(target, list) else target[step]
        del target[int(last) if isinstance(target, list) else last]
        return replace(self, body=body)

    def with_metadata(self, **values: Json) -> Self:
        """Set members of metadata by their names on the wire, such as `uid="..."` or `labels={...}`."""
        return replace(self, body={**self.body, "metadata": {**self.body["metadata"], **values}})

    def with_spec(self, **values: Json) -> Self:
        """Set members of the spec, by their names on the wire."""
        return replace(self, body={**self.body, "spec": {**self.body["spec"], **values}})

    def with_status(self, **values: Json) -> Self:
        """Set members of the status, by their names on the wire."""
        return replace(self, body={**self.body, "status": {**self.body.get("status", {}), **values}})

    def _appended(self, member: str, *values: Json) -> Self:
        return self.with_spec(**{member: [*self.body["spec"].get(member, []), *values]})


def _started(kind: type[Kind], name: str, namespace: str | None, spec: Mapping[str, Json]) -> dict[str, Json]:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind.resource.kind, "metadata": metadata, "spec": dict(spec)}


@dataclass(frozen=True)
class QuotaBuilder(Builder[Quota]):
    """Builds a Quota."""

    def with_limits(self, **limits: int) -> Self:
        """Set limits by their names on the wire, such as `maxWorkflows=5`."""
        return self.with_spec(limits={**self.body["spec"].get("limits", {}), **limits})

    def with_compute(self, **amounts: str | int) -> Self:
        """Set compute amounts; `__` stands for the dot, as in `requests__cpu="4"`."""
        named = {name.replace("__", "."): amount for name, amount in amounts.items()}
        return self.with_spec(compute={**self.body["spec"].get("compute", {}), **named})

    def with_container_defaults(self, **defaults: Mapping[str, str]) -> Self:
        """Set members of containerDefaults, such as `max={"cpu": "2"}`."""
        return self.with_spec(containerDefaults={**self.body["spec"].get("containerDefaults", {}), **defaults})


@dataclass(frozen=True)
class WorkspaceBuilder(Builder[Workspace]):
    """Builds a Workspace."""

    def with_quota(self, name: str) -> Self:
        """Set the plan."""
        return self.with_spec(quotaRef={"name": name})

    def with_namespace(self, name: str, share: int | None = None) -> Self:
        """Add a namespace."""
        return self._appended("namespaces", {"name": name} if share is None else {"name": name, "share": share})

    def with_member(
        self, role: str = "owner", kind: str = "User", name: str = "alice", namespace: str | None = None
    ) -> Self:
        """Add a member."""
        subject = {"kind": kind, "name": name} | ({} if namespace is None else {"namespace": namespace})
        return self._appended("members", {"role": role, "subject": subject})

    def with_egress(self, cidr: str, *ports: Mapping[str, Json]) -> Self:
        """Allow a destination."""
        return self._with_network("egress", cidr, ports)

    def with_ingress(self, cidr: str, *ports: Mapping[str, Json]) -> Self:
        """Allow a source."""
        return self._with_network("ingress", cidr, ports)

    def _with_network(self, direction: str, cidr: str, ports: Iterable[Mapping[str, Json]]) -> Self:
        return self.with_peer(direction, cidr=cidr, ports=[dict(port) for port in ports])

    def with_peer(self, direction: str, **rule: Json) -> Self:
        """Allow what the rule says, which is in the form of the wire, as ``egress`` or ``ingress``."""
        network = self.body["spec"].get("network", {})
        return self.with_spec(network={**network, direction: [*network.get(direction, []), rule]})


@dataclass(frozen=True)
class WorkflowBuilder(Builder[Workflow]):
    """Builds a Workflow. It starts with the manual trigger `by-hand` alone."""

    def with_trigger(self, node_id: str, config: Mapping[str, Json]) -> Self:
        """Add a trigger."""
        return self._appended("nodes", {"id": node_id, "type": "trigger", "config": dict(config)})

    def with_schedule(self, node_id: str, cron: str, **schedule: str) -> Self:
        """Add a trigger that fires by a cron expression."""
        return self.with_trigger(node_id, {"schedule": {"cron": cron, **schedule}})

    def with_node(
        self,
        node_id: str,
        config: Mapping[str, Json] | None = None,
        *,
        after: Iterable[str] = ("by-hand",),
        **members: Json,
    ) -> Self:
        """Add an action; `members` are others of a node, such as `timeout="5m"` or `retry={"limit": 2}`."""
        node = {"id": node_id, "type": "action", "dependsOn": list(after), "config": dict(config or container())}
        return self._appended("nodes", {**node, **members})

    def with_condition(self, node_id: str, expression: str, *, after: Iterable[str]) -> Self:
        """Add a condition."""
        config = {"expression": expression}
        return self._appended("nodes", {"id": node_id, "type": "condition", "dependsOn": list(after), "config": config})

    def with_input(self, name: str, **members: Json) -> Self:
        """Add an input; `members` are `required`, `default` and `description`."""
        return self._appended("inputs", {"name": name, **members})

    def with_output(self, name: str, expression: str) -> Self:
        """Add an output."""
        return self._appended("outputs", {"name": name, "expression": expression})


@dataclass(frozen=True)
class RunBuilder(Builder[WorkflowRun]):
    """Builds a WorkflowRun."""

    def with_inputs(self, **inputs: Json) -> Self:
        """Set inputs."""
        return self.with_spec(inputs={**self.body["spec"].get("inputs", {}), **inputs})

    def with_trigger(self, node_id: str) -> Self:
        """Set the trigger to start from."""
        return self.with_spec(trigger=node_id)

    def cancelled(self) -> Self:
        """Ask for the run to be stopped."""
        return self.with_spec(cancel=True)


def container(image: str = IMAGE, **members: Json) -> dict[str, Json]:
    """The config of an action that runs a container; `members` are others of it, such as `env=[...]`."""
    return {"container": {"image": image, **members}}


def a_quota(name: str = "team") -> QuotaBuilder:
    """A plan with all defaults."""
    return QuotaBuilder(Quota, _started(Quota, name, None, {}))


def a_workspace(name: str = "acme") -> WorkspaceBuilder:
    """A tenant on the plan `team`, with the namespace of its own name and no members."""
    return WorkspaceBuilder(Workspace, _started(Workspace, name, None, {"quotaRef": {"name": "team"}}))


def a_workflow(name: str = "nightly", namespace: str = "acme") -> WorkflowBuilder:
    """A workflow with the manual trigger `by-hand` and nothing to do yet."""
    by_hand = {"id": "by-hand", "type": "trigger", "config": {"manual": {}}}
    return WorkflowBuilder(Workflow, _started(Workflow, name, namespace, {"nodes": [by_hand]}))


def a_run(name: str = "nightly-1", namespace: str = "acme", workflow: str = "nightly") -> RunBuilder:
    """A run of the workflow `nightly`."""
    return RunBuilder(WorkflowRun, _started(WorkflowRun, name, namespace, {"workflowRef": {"name": workflow}}))
