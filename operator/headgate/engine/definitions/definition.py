"""A workflow version in the form that the engine works with."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from headgate.api.node import Node
from headgate.api.workflow import WorkflowSpec
from headgate.domain import input_schemas
from headgate.domain import schedule as schedules
from headgate.domain.durations import parse_duration
from headgate.domain.expressions import entry_expressions, expressions_of, reads, work_expressions
from headgate.domain.graph import Graph
from headgate.domain.input_schemas import InputSchema
from headgate.domain.runner_task import secrets_of
from headgate.domain.spread import node_of
from headgate.engine.bounds import place_of_nul
from headgate.engine.types import DefinitionError
from headgate.store import workflows
from headgate.store.database import Transaction

OUTPUTS = ""
"""Stands for the run's outputs where nodes are named."""


@dataclass(frozen=True)
class Definition:
    """A version, ready to be stepped. Never changes."""

    version_id: UUID
    number: int
    workflow_id: UUID
    namespace: str
    workflow: str
    spec: WorkflowSpec
    graph: Graph
    entry: Mapping[str, tuple[str, ...]]
    """What says for which items a node runs; nodes that run once are absent."""
    work: Mapping[str, tuple[str, ...]]
    """What has to be evaluated before a node's work begins; nodes without expressions are absent."""
    reads: Mapping[str, frozenset[str]]
    """Nodes that a node's expressions can read, out of those that come before it, directly or not. What runs beside it
    is left out, as the value would depend on which of the two was faster.

    Under ``OUTPUTS``: what the outputs of the run read.
    """
    input_schemas: Mapping[str, InputSchema]
    """By input; those without a schema are absent."""

    @cached_property
    def configs(self) -> Mapping[str, Mapping[str, Any]]:
        """The config of each node, in the form that Kubernetes stores."""
        return {node.id: node.config.to_wire() for node in self.graph.nodes}

    @cached_property
    def need_secrets(self) -> frozenset[str]:
        """The nodes that name Secrets."""
        return frozenset(node.id for node in self.graph.nodes if secrets_of(node.config))

    def node(self, name: str) -> Node:
        """The node of that id, or of which it is the name of an item."""
        return self.graph.by_id[node_of(name)]


def define(version_id: UUID, content: workflows.VersionContent) -> Definition:
    """Prepare a version. Raises ``DefinitionError`` (or pydantic's) when it cannot run."""
    spec = WorkflowSpec.model_validate(content.spec)
    graph = check(spec)
    entry: dict[str, tuple[str, ...]] = {}
    work: dict[str, tuple[str, ...]] = {}
    ancestors: dict[str, frozenset[str]] = {}
    read: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        direct = frozenset(dependency.node for dependency in graph.edges[node.id])
        ancestors[node.id] = direct.union(*(ancestors[name] for name in direct))
        found = expressions_of(node)
        if items := entry_expressions(node):
            entry[node.id] = items
        if needed := work_expressions(node):
            work[node.id] = needed
        if found:
            read[node.id] = reads(found, ancestors[node.id])
    read[OUTPUTS] = reads((output.expression for output in spec.outputs), frozenset(ancestors))
    return Definition(
        version_id=version_id,
        number=content.number,
        workflow_id=content.workflow_id,
        namespace=content.namespace,
        workflow=content.name,
        spec=spec,
        graph=graph,
        entry=entry,
        work=work,
        reads=read,
        input_schemas={item.name: InputSchema.of(item.json_schema) for item in spec.inputs if item.json_schema},
    )


def check(spec: WorkflowSpec) -> Graph:
    """The spec's graph. Raises ``DefinitionError`` with what to change when no run of it could work."""
    try:
        graph = Graph.of(spec.nodes)
        for text in [spec.timeout, *(node.timeout for node in spec.nodes)]:
            if text is not None:
                parse_duration(text)
    except ValueError as error:
        raise DefinitionError(str(error)) from None
    for node in spec.nodes:
        problem = schedules.validate(node.config.schedule) if node.config.schedule is not None else None
        if problem is not None:
            raise DefinitionError(f"node {node.id}: {problem}")
    for declared in spec.inputs:
        if (problem := input_schemas.problem(declared)) is not None:
            raise DefinitionError(problem)
    return graph


def content_of(spec: WorkflowSpec) -> tuple[str, str]:
    """Content hash and stored JSON of a spec.

    What is said and what is left to a default is the same content, so that a release that adds a field does not make
    new versions of everything; the stored form spells defaults out, so that a version keeps its meaning. Raises
    ``DefinitionError`` for what Postgres cannot hold.
    """
    said = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, exclude={"suspend"})
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    stored = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"suspend"})
    if (place := place_of_nul(stored, "spec")) is not None:
        raise DefinitionError(f"{place} contains the character U+0000, which cannot be stored: take it out")
    return hashlib.sha256(canonical.encode()).hexdigest(), json.dumps(stored, ensure_ascii=False)


class UnreadableVersion(Exception):  # noqa: N818 - a state of the world, not a mistake
    """A version that an earlier release accepted and that this one cannot read."""

    def __init__(self, content: workflows.VersionContent, reason: str) -> None:
        super().__init__(
            f"version {content.number} of the workflow cannot be read by this release of Headgate ({reason}); "
            "apply the workflow again"
        )
        self.content = content


class Definitions:
    """Versions that were read, the most recently used ones. They never change, so they are never stale."""

    def __init__(self, size: int = 1024) -> None:
        """``size`` is the number of versions kept at most."""
        self._size = size
        self._known: OrderedDict[tuple[UUID, UUID], Definition] = OrderedDict()

    async def get(self, tx: Transaction, workspace_id: UUID, version_id: UUID) -> Definition:
        """The version, from memory or by one query. Raises ``UnreadableVersion``."""
        key = (workspace_id, version_id)
        known = self._known.get(key)
        if known is None:
            content = await workflows.version_content(tx, workspace_id, version_id)
            try:
                known = define(version_id, content)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"])
                raise UnreadableVersion(content, f"{where}: {first['msg']}") from None
            except DefinitionError as error:
                raise UnreadableVersion(content, str(error)) from None
            self._known[key] = known
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return known
