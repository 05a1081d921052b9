"""Statements that tell what archived runs ran: workflows and their versions stay in Postgres."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction

_VERSIONS = """
    SELECT v.id, w.id AS workflow_id, w.namespace, w.name, v.number
    FROM headgate.workflow_versions v
    JOIN headgate.workflows w ON w.workspace_id = v.workspace_id AND w.id = v.workflow_id
    WHERE v.workspace_id = %(workspace_id)s AND v.id = ANY (%(versions)s)
"""


async def versions(tx: Transaction, workspace_id: UUID, wanted: Iterable[UUID]) -> dict[UUID, Any]:
    """Namespace, workflow and number of these versions."""
    parameters = {"workspace_id": workspace_id, "versions": list(wanted)}
    return {row.id: row for row in await tx.rows(_VERSIONS, parameters)}


# As a list of runs takes it: the workflow that there is, or the last one that there was.
_WORKFLOW = """
    SELECT id FROM headgate.workflows
    WHERE workspace_id = %(workspace_id)s AND namespace = %(namespace)s AND name = %(name)s
    ORDER BY deleted_at DESC NULLS FIRST LIMIT 1
"""


async def workflow_id(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> UUID | None:
    """The workflow of that name."""
    return await tx.value(_WORKFLOW, {"workspace_id": workspace_id, "namespace": namespace, "name": name})
