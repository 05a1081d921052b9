"""Statements about workflows, their versions and their schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction


@dataclass(frozen=True)
class KnownWorkflow:
    """A workflow as it is recorded, with its current version."""

    id: UUID
    suspended: bool
    version_id: UUID
    number: int
    content_hash: str
    schedules: Mapping[str, Mapping[str, Any]]
    """By trigger node."""


_FIND = """
    SELECT w.id, w.suspended, v.id AS version_id, v.number, v.content_hash, (
        SELECT jsonb_object_agg(s.node, s.schedule) FROM headgate.workflow_schedules s
        WHERE s.workspace_id = %(workspace_id)s AND s.workflow_id = w.id
    ) AS schedules
    FROM headgate.workflows w
    JOIN headgate.workflow_versions v ON v.workspace_id = w.workspace_id AND v.id = w.current_version_id
    WHERE w.workspace_id = %(workspace_id)s AND w.namespace = %(namespace)s AND w.name = %(name)s
        AND w.deleted_at IS NULL
"""


async def find(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> KnownWorkflow | None:
    """The active workflow of that name."""
    parameters = {"workspace_id": workspace_id, "namespace": namespace, "name": name}
    row = await tx.row(_FIND, parameters)
    if row is None:
        return None
    return KnownWorkflow(row.id, row.suspended, row.version_id, row.number, row.content_hash, row.schedules or {})


_LOCK_NAME = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 1))"


async def lock_name(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> None:
    """Let one transaction at a time write the workflow of that name."""
    await tx.execute(_LOCK_NAME, {"name": f"{workspace_id}/{namespace}/{name}"})


_ADD = """
    INSERT INTO headgate.workflows (workspace_id, id, namespace, name, current_version_id, suspended, created_at)
    VALUES (%(workspace_id)s, %(id)s, %(namespace)s, %(name)s, %(version_id)s, false, %(now)s)
"""


async def add(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, namespace: str, name: str, version_id: UUID, now: datetime
) -> None:
    """Add a workflow whose first version follows."""
    parameters = {
        "workspace_id": workspace_id,
        "id": workflow_id,
        "namespace": namespace,
        "name": name,
        "version_id": version_id,
        "now": now,
    }
    await tx.execute(_ADD, parameters)


@dataclass(frozen=True)
class Version:
    """A version's row without its content."""

    id: UUID
    number: int


_PUT_VERSION = """
    WITH known AS (
        SELECT id, number FROM headgate.workflow_versions
        WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s AND content_hash = %(content_hash)s
    ), added AS (
        INSERT INTO headgate.workflow_versions (workspace_id, id, workflow_id, number, content_hash, spec, created_at)
        SELECT %(workspace_id)s, %(id)s, %(workflow_id)s, coalesce(max(v.number), 0) + 1, %(content_hash)s,
            CAST(%(spec)s AS jsonb), %(now)s
        FROM headgate.workflow_versions v
        WHERE v.workspace_id = %(workspace_id)s AND v.workflow_id = %(workflow_id)s
        HAVING NOT EXISTS (SELECT FROM known)
        RETURNING id, number
    )
    SELECT id, number FROM known UNION ALL SELECT id, number FROM added
"""


async def put_version(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, new_id: UUID, content_hash: str, spec: str, now: datetime
) -> Version:
    """The version of that content, added with the next number when there is none. Hold the name's lock."""
    parameters = {
        "workspace_id": workspace_id,
        "id": new_id,
        "workflow_id": workflow_id,
        "content_hash": content_hash,
        "spec": spec,
        "now": now,
    }
    return Version(*await tx.one(_PUT_VERSION, parameters))


_SET_CURRENT = """
    UPDATE headgate.workflows SET current_version_id = %(version_id)s, suspended = %(suspended)s
    WHERE workspace_id = %(workspace_id)s AND id = %(workflow_id)s
"""


async def set_current(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, version_id: UUID, *, suspended: bool
) -> None:
    """Make a version the one that new runs start with."""
    parameters = {
        "workspace_id": workspace_id,
        "workflow_id": workflow_id,
        "version_id": version_id,
        "suspended": suspended,
    }
    await tx.execute(_SET_CURRENT, parameters)


_RETIRE = """
    WITH unscheduled AS (
        DELETE FROM headgate.workflow_schedules
        WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s
    ), unheard AS (
        DELETE FROM headgate.workflow_events
        WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s
    ), unhooked AS (
        DELETE FROM headgate.workflow_webhooks
        WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s
    )
    UPDATE headgate.workflows SET deleted_at = %(now)s WHERE workspace_id = %(workspace_id)s AND id = %(workflow_id)s
"""
# By a statement of its own, after it is known that the workflow is no more: nothing is kept of it from then on.
_FORGET = "SELECT headgate.forget_kept(%(workspace_id)s, CAST(%(workflow_id)s AS uuid))"


async def retire(tx: Transaction, workspace_id: UUID, workflow_id: UUID, now: datetime) -> None:
    """Free the name and remove the schedules, event triggers, webhooks, cursors and remembered outputs.

    Versions and runs stay.
    """
    await tx.execute(_RETIRE, {"workspace_id": workspace_id, "workflow_id": workflow_id, "now": now})
    await tx.execute(_FORGET, {"workspace_id": workspace_id, "workflow_id": workflow_id})


_SPEC = """
    SELECT v.number, v.spec, v.workflow_id, w.namespace, w.name
    FROM headgate.workflow_versions v
    JOIN headgate.workflows w ON w.workspace_id = v.workspace_id AND w.id = v.workflow_id
    WHERE v.workspace_id = %(workspace_id)s AND v.id = %(version_id)s
"""


@dataclass(frozen=True)
class VersionContent:
    """A version with its content."""

    number: int
    spec: Mapping[str, Any]
    workflow_id: UUID
    namespace: str
    name: str


async def version_content(tx: Transaction, workspace_id: UUID, version_id: UUID) -> VersionContent:
    """A version, which must exist."""
    row = await tx.one(_SPEC, {"workspace_id": workspace_id, "version_id": version_id})
    return VersionContent(row.number, row.spec, row.workflow_id, row.namespace, row.name)


_RETIRE_ALL = """
    WITH unscheduled AS (DELETE FROM headgate.workflow_schedules WHERE workspace_id = %(workspace_id)s),
        unheard AS (DELETE FROM headgate.workflow_events WHERE workspace_id = %(workspace_id)s),
        unhooked AS (DELETE FROM headgate.workflow_webhooks WHERE workspace_id = %(workspace_id)s)
    UPDATE headgate.workflows SET deleted_at = %(now)s WHERE workspace_id = %(workspace_id)s AND deleted_at IS NULL
"""


async def retire_all(tx: Transaction, workspace_id: UUID, now: datetime) -> None:
    """``retire`` for every workflow of a workspace."""
    await tx.execute(_RETIRE_ALL, {"workspace_id": workspace_id, "now": now})
    await tx.execute(_FORGET, {"workspace_id": workspace_id, "workflow_id": None})


@dataclass(frozen=True)
class VersionOf:
    """What a number of a workflow's version refers to."""

    id: UUID | None
    """None where there is no such version."""
    newest: int


_VERSION_OF = """
    SELECT max(number) AS newest,
        (SELECT id FROM headgate.workflow_versions
         WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s AND number = %(number)s) AS id
    FROM headgate.workflow_versions WHERE workspace_id = %(workspace_id)s AND workflow_id = %(workflow_id)s
"""


async def version_of(tx: Transaction, workspace_id: UUID, workflow_id: UUID, number: int) -> VersionOf:
    """The version of that number."""
    row = await tx.one(_VERSION_OF, {"workspace_id": workspace_id, "workflow_id": workflow_id, "number": number})
    return VersionOf(row.id, row.newest)


_LAST = 2**31 - 1
"""No version has a greater number."""
_VERSIONS = """
    SELECT v.number, v.created_at, v.content_hash, v.id = w.current_version_id AS current
    FROM headgate.workflows w
    JOIN headgate.workflow_versions v ON v.workspace_id = w.workspace_id AND v.workflow_id = w.id
    WHERE w.workspace_id = %(workspace_id)s AND w.namespace = %(namespace)s AND w.name = %(name)s
        AND w.deleted_at IS NULL AND v.number < %(before)s
    ORDER BY v.number DESC LIMIT %(limit)s
"""


async def versions(
    tx: Transaction, workspace_id: UUID, namespace: str, name: str, before: int | None, limit: int | None
) -> list[Any]:
    """The versions of the active workflow of that name, the newest first, without their content.

    With ``before``, those with smaller numbers; with ``limit``, that many at most.
    """
    parameters = {
        "workspace_id": workspace_id,
        "namespace": namespace,
        "name": name,
        "before": before or _LAST,
        "limit": limit,
    }
    return await tx.rows(_VERSIONS, parameters)


_VERSION = """
    SELECT v.number, v.created_at, v.content_hash, v.id = w.current_version_id AS current, v.spec
    FROM headgate.workflows w
    JOIN headgate.workflow_versions v ON v.workspace_id = w.workspace_id AND v.workflow_id = w.id
    WHERE w.workspace_id = %(workspace_id)s AND w.namespace = %(namespace)s AND w.name = %(name)s
        AND w.deleted_at IS NULL AND v.number = %(number)s
"""


async def version(tx: Transaction, workspace_id: UUID, namespace: str, name: str, number: int) -> Any | None:
    """A version of the active workflow of that name, with its content."""
    parameters = {"workspace_id": workspace_id, "namespace": namespace, "name": name, "number": number}
    return await tx.row(_VERSION, parameters)


_LISTED = """
    SELECT w.namespace, w.name, w.suspended, w.created_at, v.number, v.created_at AS version_created_at, v.content_hash
    FROM headgate.workflows w
    JOIN headgate.workflow_versions v ON v.workspace_id = w.workspace_id AND v.id = w.current_version_id
    WHERE w.workspace_id = %(workspace_id)s AND w.deleted_at IS NULL
"""
_PAGE = f"""
    {_LISTED} AND (w.namespace, w.name) > (%(namespace)s, %(name)s)
    ORDER BY w.namespace, w.name LIMIT %(limit)s
"""


async def page(tx: Transaction, workspace_id: UUID, after: tuple[str, str], limit: int) -> list[Any]:
    """Up to ``limit`` active workflows by namespace and name, those after ``after``: a range of one index."""
    parameters = {"workspace_id": workspace_id, "namespace": after[0], "name": after[1], "limit": limit}
    return await tx.rows(_PAGE, parameters)


_ONE = f"{_LISTED} AND w.namespace = %(namespace)s AND w.name = %(name)s"


async def one(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> Any | None:
    """The active workflow of that name, as ``page`` has it."""
    return await tx.row(_ONE, {"workspace_id": workspace_id, "namespace": namespace, "name": name})
