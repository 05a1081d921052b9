"""Statements about workflows, their versions and their schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update

from headgate.store.database import Transaction
from headgate.store.tables import schedules, versions, workflows


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


_FIND = text("""
    SELECT w.id, w.suspended, v.id AS version_id, v.number, v.content_hash, (
        SELECT jsonb_object_agg(s.node, s.schedule) FROM headgate.workflow_schedules s
        WHERE s.workspace_id = :workspace_id AND s.workflow_id = w.id
    ) AS schedules
    FROM headgate.workflows w
    JOIN headgate.workflow_versions v ON v.workspace_id = w.workspace_id AND v.id = w.current_version_id
    WHERE w.workspace_id = :workspace_id AND w.namespace = :namespace AND w.name = :name AND w.deleted_at IS NULL
""")


async def find(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> KnownWorkflow | None:
    """The active workflow of that name."""
    parameters = {"workspace_id": workspace_id, "namespace": namespace, "name": name}
    row = (await tx.execute(_FIND, parameters)).first()
    if row is None:
        return None
    return KnownWorkflow(row.id, row.suspended, row.version_id, row.number, row.content_hash, row.schedules or {})


_LOCK_NAME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 1))")


async def lock_name(tx: Transaction, workspace_id: UUID, namespace: str, name: str) -> None:
    """Let one transaction at a time write the workflow of that name."""
    await tx.execute(_LOCK_NAME, {"name": f"{workspace_id}/{namespace}/{name}"})


async def add(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, namespace: str, name: str, version_id: UUID, now: datetime
) -> None:
    """Add a workflow whose first version follows."""
    await tx.execute(
        insert(workflows).values(
            workspace_id=workspace_id,
            id=workflow_id,
            namespace=namespace,
            name=name,
            current_version_id=version_id,
            suspended=False,
            created_at=now,
        )
    )


@dataclass(frozen=True)
class Version:
    """A version's row without its content."""

    id: UUID
    number: int


async def put_version(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, new_id: UUID, content_hash: str, spec: str, now: datetime
) -> Version:
    """The version of that content, added with the next number when there is none. Hold the name's lock."""
    mine = (versions.c.workspace_id == workspace_id, versions.c.workflow_id == workflow_id)
    found = (
        await tx.execute(select(versions.c.id, versions.c.number).where(*mine, versions.c.content_hash == content_hash))
    ).first()
    if found is not None:
        return Version(found.id, found.number)
    number = int(await tx.scalar(select(func.coalesce(func.max(versions.c.number), 0) + 1).where(*mine)) or 1)
    await tx.execute(
        text("""
            INSERT INTO headgate.workflow_versions (workspace_id, id, workflow_id, number, content_hash, spec,
                created_at)
            VALUES (:workspace_id, :id, :workflow_id, :number, :content_hash, CAST(:spec AS jsonb), :now)
        """),
        {
            "workspace_id": workspace_id,
            "id": new_id,
            "workflow_id": workflow_id,
            "number": number,
            "content_hash": content_hash,
            "spec": spec,
            "now": now,
        },
    )
    return Version(new_id, number)


async def set_current(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, version_id: UUID, *, suspended: bool
) -> None:
    """Make a version the one that new runs start with."""
    await tx.execute(
        update(workflows)
        .where(workflows.c.workspace_id == workspace_id, workflows.c.id == workflow_id)
        .values(current_version_id=version_id, suspended=suspended)
    )


async def retire(tx: Transaction, workspace_id: UUID, workflow_id: UUID, now: datetime) -> None:
    """Free the name and remove the schedules. Versions and runs stay."""
    await tx.execute(
        delete(schedules).where(schedules.c.workspace_id == workspace_id, schedules.c.workflow_id == workflow_id)
    )
    await tx.execute(
        update(workflows)
        .where(workflows.c.workspace_id == workspace_id, workflows.c.id == workflow_id)
        .values(deleted_at=now)
    )


_SPEC = text("""
    SELECT v.number, v.spec, v.workflow_id, w.namespace, w.name
    FROM headgate.workflow_versions v
    JOIN headgate.workflows w ON w.workspace_id = v.workspace_id AND w.id = v.workflow_id
    WHERE v.workspace_id = :workspace_id AND v.id = :version_id
""")


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
    row = (await tx.execute(_SPEC, {"workspace_id": workspace_id, "version_id": version_id})).one()
    return VersionContent(row.number, row.spec, row.workflow_id, row.namespace, row.name)


_RETIRE_ALL = text("""
    WITH unscheduled AS (DELETE FROM headgate.workflow_schedules WHERE workspace_id = :workspace_id)
    UPDATE headgate.workflows SET deleted_at = :now WHERE workspace_id = :workspace_id AND deleted_at IS NULL
""")


async def retire_all(tx: Transaction, workspace_id: UUID, now: datetime) -> None:
    """``retire`` for every workflow of a workspace."""
    await tx.execute(_RETIRE_ALL, {"workspace_id": workspace_id, "now": now})
