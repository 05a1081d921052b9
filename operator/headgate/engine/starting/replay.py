"""Requests for another version than the current one, and for what an earlier run was."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from headgate.engine.context import run_key
from headgate.engine.types import Refused, RunRequest
from headgate.store import run_facts, workflows
from headgate.store.database import Transaction

UNKNOWN_VERSION = "UnknownVersion"
UNKNOWN_RUN = "UnknownRun"


async def meant(
    tx: Transaction, request: RunRequest, workflow_id: UUID, current: UUID
) -> tuple[RunRequest, UUID] | Refused:
    """The request with what it takes from an earlier run, and the version that it is for.

    Costs nothing where it says neither. What the request says itself goes before what the earlier run had. A replay is
    of that run's own version, unless the request names one.
    """
    version_id = current
    if request.replay_of is not None:
        key = run_key(request.workspace_id, request.replay_of)
        earlier = await run_facts.origin(tx, key) if key is not None else None
        if earlier is None or earlier.workflow_id != workflow_id:
            return Refused(UNKNOWN_RUN, f"the workflow {request.workflow!r} has no run {request.replay_of} to replay")
        given = {name: value for name, value in earlier.inputs.items() if value is not None}
        request = replace(
            request,
            trigger=request.trigger or earlier.trigger,
            inputs={**given, **request.inputs},
            event=earlier.event if request.event is None else request.event,
        )
        version_id = earlier.version_id
    if request.version is not None:
        found = await workflows.version_of(tx, request.workspace_id, workflow_id, request.version)
        if found.id is None:
            known = f"the newest is {found.newest}"
            why = f"the workflow {request.workflow!r} has no version {request.version}: {known}"
            return Refused(UNKNOWN_VERSION, why)
        version_id = found.id
    return request, version_id
