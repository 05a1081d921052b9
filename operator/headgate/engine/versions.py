"""The versions of workflows, as people look at them."""

from __future__ import annotations

from datetime import UTC
from uuid import UUID

from headgate.api.workflow import WorkflowSpec
from headgate.engine.context import Context
from headgate.engine.types import VersionView
from headgate.store import workflows


class Versions:
    """Reads versions. All methods raise ``DatabaseUnavailable`` when Postgres is not there."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def list(self, workspace_id: UUID, namespace: str, name: str) -> tuple[VersionView, ...]:
        """All versions of the workflow, the newest first; none where there is no such workflow."""
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await workflows.versions(tx, workspace_id, namespace, name)
        return tuple(
            VersionView(row.number, row.created_at.astimezone(UTC), row.content_hash, current=row.current)
            for row in rows
        )

    async def spec(self, workspace_id: UUID, namespace: str, name: str, number: int) -> WorkflowSpec | None:
        """The spec of a version, or None where there is no such version.

        Raises pydantic's ``ValidationError`` for one that this release cannot read.
        """
        async with self._context.database.tenant(workspace_id) as tx:
            stored = await workflows.version_spec(tx, workspace_id, namespace, name, number)
        return None if stored is None else WorkflowSpec.model_validate(stored)
