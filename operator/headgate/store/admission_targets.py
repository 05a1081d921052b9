"""What requests for runs refer to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.fragments import ONE, SEVERAL, Source
from headgate.store.joint import Joint, columns


@dataclass(frozen=True)
class AdmissionTarget:
    """What a request for a run refers to."""

    workflow_id: UUID | None
    version_id: UUID | None
    key_used: bool
    run_id: UUID | None
    """The run of an earlier request with the key; None with ``key_used`` where that one was withdrawn."""


_FOUND = """w.id AS workflow_id, w.current_version_id AS version_id, t.trigger_key IS NOT NULL AS key_used,
        t.execution_id AS run_id"""


def _found(source: Source) -> str:
    return f"""
    LEFT JOIN headgate.workflows w ON w.workspace_id = %(workspace_id)s AND w.namespace = {source["namespace"]}
        AND w.name = {source["name"]} AND w.deleted_at IS NULL
    LEFT JOIN headgate.execution_triggers t ON t.workspace_id = %(workspace_id)s
        AND t.trigger_key = {source["trigger_key"]}
"""


_TARGET = Joint(
    0,
    f"SELECT {_FOUND} FROM (VALUES (1)) one (row) {_found(ONE)}",  # noqa: S608 - constants
    f"""
    WITH {columns(namespace="text", name="text", trigger_key="text")}
    SELECT a.number, {_FOUND} FROM asked a {_found(SEVERAL)}
""",  # noqa: S608 - constants
)


async def find_target(
    tx: Transaction, workspace_id: UUID, namespace: str, name: str, trigger_key: str
) -> AdmissionTarget:
    """Look up the workflow and the key of a request."""
    parameters = {"workspace_id": workspace_id, "namespace": namespace, "name": name, "trigger_key": trigger_key}
    [row] = await tx.joint(_TARGET, parameters)
    return AdmissionTarget(row.workflow_id, row.version_id, row.key_used, row.run_id)
