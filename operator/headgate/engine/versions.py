"""Workflows and their versions, as people look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from headgate.api.workflow import WorkflowSpec
from headgate.engine.context import Context
from headgate.engine.types import VersionView, WorkflowView
from headgate.store import workflows


@dataclass(frozen=True)
class VersionContent:
    """A version with what it says."""

    version: VersionView
    spec: Mapping[str, Any]
    """As it was recorded, in the form of the wire: a newer release may know less, or more."""


class Versions:
    """Reads workflows and versions. All methods raise ``DatabaseUnavailable`` when Postgres is not there."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def workflows(self, workspace_id: UUID, after: tuple[str, str], limit: int) -> tuple[WorkflowView, ...]:
        """Up to ``limit`` workflows that there are by namespace and name: those after ``after``."""
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await workflows.page(tx, workspace_id, after, limit)
        return tuple(_workflow(row) for row in rows)

    async def workflow(self, workspace_id: UUID, namespace: str, name: str) -> WorkflowView | None:
        """The workflow of that name, or None."""
        async with self._context.database.tenant(workspace_id) as tx:
            row = await workflows.one(tx, workspace_id, namespace, name)
        return None if row is None else _workflow(row)

    async def list(
        self, workspace_id: UUID, namespace: str, name: str, *, before: int | None = None, limit: int | None = None
    ) -> tuple[VersionView, ...]:
        """Versions of the workflow, the newest first; none where there is no such workflow.

        All of them, or with ``before`` those with smaller numbers, and with ``limit`` that many at most.
        """
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await workflows.versions(tx, workspace_id, namespace, name, before, limit)
        return tuple(_version(row) for row in rows)

    async def content(self, workspace_id: UUID, namespace: str, name: str, number: int) -> VersionContent | None:
        """A version with what it says, or None where there is no such version."""
        async with self._context.database.tenant(workspace_id) as tx:
            row = await workflows.version(tx, workspace_id, namespace, name, number)
        return None if row is None else VersionContent(_version(row), row.spec)

    async def spec(self, workspace_id: UUID, namespace: str, name: str, number: int) -> WorkflowSpec | None:
        """The spec of a version, or None where there is no such version.

        Raises pydantic's ``ValidationError`` for one that this release cannot read.
        """
        found = await self.content(workspace_id, namespace, name, number)
        return None if found is None else WorkflowSpec.model_validate(found.spec)


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
