"""Workflows and their versions, as people look at them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from headgate.api.workflow import WorkflowSpec
from headgate.engine.context import Context
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.types import VersionView, WorkflowView
from headgate.store import workflows

T = TypeVar("T")


@dataclass(frozen=True)
class VersionContent:
    """A version with what it says."""

    version: VersionView
    spec: Mapping[str, Any]
    """As it was recorded, in the form of the wire: a newer release may know less, or more."""


class Versions:
    """Reads workflows and versions. All methods raise ``DatabaseUnavailable`` when Postgres is not there."""

    def __init__(self, context: Context, reads: DefinitionReads | None = None) -> None:
        """``reads`` remembers what was read."""
        self._context = context
        self._reads = reads

    async def workflows(self, workspace_id: UUID, after: tuple[str, str], limit: int) -> tuple[WorkflowView, ...]:
        """Up to ``limit`` workflows that there are by namespace and name: those after ``after``."""

        async def read() -> tuple[WorkflowView, ...]:
            async with self._context.database.tenant(workspace_id) as tx:
                rows = await workflows.page(tx, workspace_id, after, limit)
            return tuple(_workflow(row) for row in rows)

        return await self._known(workspace_id, ("workflows", *after, limit), _WORKFLOWS, read)

    async def workflow(self, workspace_id: UUID, namespace: str, name: str) -> WorkflowView | None:
        """The workflow of that name, or None."""

        async def read() -> WorkflowView | None:
            async with self._context.database.tenant(workspace_id) as tx:
                row = await workflows.one(tx, workspace_id, namespace, name)
            return None if row is None else _workflow(row)

        return await self._known(workspace_id, ("workflow", namespace, name), _WORKFLOW, read)

    async def list(
        self, workspace_id: UUID, namespace: str, name: str, *, before: int | None = None, limit: int | None = None
    ) -> tuple[VersionView, ...]:
        """Versions of the workflow, the newest first; none where there is no such workflow.

        All of them, or with ``before`` those with smaller numbers, and with ``limit`` that many at most.
        """

        async def read() -> tuple[VersionView, ...]:
            async with self._context.database.tenant(workspace_id) as tx:
                rows = await workflows.versions(tx, workspace_id, namespace, name, before, limit)
            return tuple(_version(row) for row in rows)

        return await self._known(workspace_id, ("versions", namespace, name, before, limit), _VERSIONS, read)

    async def content(self, workspace_id: UUID, namespace: str, name: str, number: int) -> VersionContent | None:
        """A version with what it says, or None where there is no such version."""

        async def read() -> VersionContent | None:
            async with self._context.database.tenant(workspace_id) as tx:
                row = await workflows.version(tx, workspace_id, namespace, name, number)
            return None if row is None else VersionContent(_version(row), row.spec)

        return await self._known(workspace_id, ("version", namespace, name, number), _CONTENT, read)

    async def spec(self, workspace_id: UUID, namespace: str, name: str, number: int) -> WorkflowSpec | None:
        """The spec of a version, or None where there is no such version.

        Raises pydantic's ``ValidationError`` for one that this release cannot read.
        """
        found = await self.content(workspace_id, namespace, name, number)
        return None if found is None else WorkflowSpec.model_validate(found.spec)

    async def _known(
        self, workspace_id: UUID, what: tuple[object, ...], form: TypeAdapter[T], read: Callable[[], Awaitable[T]]
    ) -> T:
        """What ``read`` gives, be it remembered."""
        if self._reads is None:
            return await read()
        return await self._reads.get(workspace_id, json.dumps(what), form, read)


_WORKFLOWS = TypeAdapter(tuple[WorkflowView, ...])
_WORKFLOW = TypeAdapter(WorkflowView | None)
_VERSIONS = TypeAdapter(tuple[VersionView, ...])
_CONTENT = TypeAdapter(VersionContent | None)


def _workflow(row: Any) -> WorkflowView:
    return WorkflowView(
        namespace=row.namespace,
        name=row.name,
        suspended=row.suspended,
        created_at=row.created_at.astimezone(UTC),
        version=row.number,
        version_created_at=row.version_created_at.astimezone(UTC),
        content_hash=row.content_hash,
    )


def _version(row: Any) -> VersionView:
    return VersionView(row.number, row.created_at.astimezone(UTC), row.content_hash, current=row.current)
