"""What requests for runs refer to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from headgate.domain.runner_task import LOSSES
from headgate.store.database import Transaction
from headgate.store.fragments import ONE, SEVERAL, Source
from headgate.store.joint import Joint, columns
from headgate.store.runner_tasks import due_of_any


@dataclass(frozen=True)
class AdmissionTarget:
    """What a request for a run refers to."""

    workflow_id: UUID | None
    version_id: UUID | None
    key_used: bool
    run_id: UUID | None
    """The run of an earlier request with the key; None with ``key_used`` where that one was withdrawn."""
    others_due: bool = False
    """Whether something is due for runners of the namespace's pool that have room for the kinds that were named."""


_FOUND = """w.id AS workflow_id, w.current_version_id AS version_id, t.trigger_key IS NOT NULL AS key_used,
        t.execution_id AS run_id"""


# Each by its whole key, with LIMIT, as joins read all keys of a workspace while the server takes the table for small.
def _found(source: Source) -> str:
    return f"""
    LEFT JOIN LATERAL (
        SELECT id, current_version_id FROM headgate.workflows WHERE workspace_id = %(workspace_id)s
            AND namespace = {source["namespace"]} AND name = {source["name"]} AND deleted_at IS NULL LIMIT 1
    ) w ON true
    LEFT JOIN LATERAL (
        SELECT trigger_key, execution_id FROM headgate.execution_triggers WHERE workspace_id = %(workspace_id)s
            AND trigger_key = {source["trigger_key"]} LIMIT 1
    ) t ON true
"""  # noqa: S608 - constants


def _others(source: Source) -> str:
    """Whether something is due, where somebody waits for anything: for nobody it is not even looked for."""
    return f"""CASE WHEN CAST({source["kinds"]} AS text[]) <> '{{}}' THEN EXISTS (
        SELECT FROM headgate.tasks WHERE {due_of_any(source)}
    ) ELSE false END AS others_due"""


_ASKED = {"namespace": "text", "name": "text", "trigger_key": "text", "kinds": "text[]", "now": "timestamptz"}
_TARGET = Joint(
    0,
    f"SELECT {_FOUND}, {_others(ONE)} FROM (VALUES (1)) one (row) {_found(ONE)}",  # noqa: S608 - constants
    f"""
    WITH {columns(**_ASKED, losses="integer")}
    SELECT a.number, {_FOUND}, {_others(SEVERAL)} FROM asked a {_found(SEVERAL)}
""",  # noqa: S608 - constants
)


async def find_target(
    tx: Transaction,
    workspace_id: UUID,
    namespace: str,
    name: str,
    trigger_key: str,
    now: datetime,
    kinds: Collection[str] = (),
) -> AdmissionTarget:
    """Look up the workflow and the key of a request, and whether one of these kinds is due for a pool's runner."""
    parameters = {
        "workspace_id": workspace_id,
        "namespace": namespace,
        "name": name,
        "trigger_key": trigger_key,
        "now": now,
        "kinds": list(kinds),
        "losses": LOSSES,
    }
    [row] = await tx.joint(_TARGET, parameters)
    return AdmissionTarget(row.workflow_id, row.version_id, row.key_used, row.run_id, row.others_due)
