"""Statements about credentials. Values come and go as ciphertexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.envelope import Place, Sealed, WrappedKey
from headgate.store import data_keys
from headgate.store.database import Transaction


@dataclass(frozen=True)
class Before:
    """What there is before a credential is put."""

    key: WrappedKey | None
    """The workspace's current data key."""
    id: UUID | None
    version: int
    """Zero where there is no credential of that name."""
    total: int
    """Credentials of the workspace."""


@dataclass(frozen=True)
class Stored:
    """A credential as it lies there, with the key that it lies under."""

    place: Place
    sealed: Sealed
    key: WrappedKey


_BEFORE = f"""
    SELECT {data_keys.COLUMNS}, c.id, coalesce(c.version, 0) AS version,
        (SELECT count(*) FROM headgate.credentials a WHERE a.workspace_id = %(workspace_id)s) AS total
    FROM (VALUES (1)) AS always
    LEFT JOIN headgate.data_keys k ON k.workspace_id = %(workspace_id)s AND k.retired_at IS NULL
    LEFT JOIN headgate.credentials c ON c.workspace_id = %(workspace_id)s AND c.name = %(name)s
"""  # noqa: S608 - constants


async def before(tx: Transaction, workspace_id: UUID, name: str) -> Before:
    """What there is under a name, and the key to seal with. Hold the workspace's lock."""
    row = await tx.one(_BEFORE, {"workspace_id": workspace_id, "name": name})
    key = None if row.key_id is None else data_keys.wrapped_key(workspace_id, row)
    return Before(key, row.id, row.version, row.total)


_VIEW = "name, kind, version, created_by, created_at, updated_by, updated_at"
_PUT = f"""
    INSERT INTO headgate.credentials (workspace_id, name, id, kind, version, data_key_id, sealed, created_by,
        created_at, updated_by, updated_at)
    VALUES (%(workspace_id)s, %(name)s, %(id)s, %(kind)s, %(version)s, %(data_key_id)s, %(sealed)s, %(by)s, %(now)s,
        %(by)s, %(now)s)
    ON CONFLICT (workspace_id, name) DO UPDATE
    SET kind = excluded.kind, version = excluded.version, data_key_id = excluded.data_key_id,
        sealed = excluded.sealed, updated_by = excluded.updated_by, updated_at = excluded.updated_at
    RETURNING {_VIEW}
"""  # noqa: S608 - constants


async def put(tx: Transaction, place: Place, sealed: Sealed, by: str, now: datetime) -> Any:
    """Create or replace a credential, and return its row without values. Hold the workspace's lock."""
    parameters = {
        "workspace_id": place.workspace_id,
        "name": place.name,
        "id": place.credential_id,
        "kind": place.kind,
        "version": place.version,
        "data_key_id": sealed.data_key_id,
        "sealed": sealed.box,
        "by": by,
        "now": now,
    }
    return await tx.one(_PUT, parameters)


_LIST = f"SELECT {_VIEW} FROM headgate.credentials WHERE workspace_id = %(workspace_id)s ORDER BY name"  # noqa: S608 - constants


async def listed(tx: Transaction, workspace_id: UUID) -> list[Any]:
    """All credentials of the workspace without values, by name."""
    return await tx.rows(_LIST, {"workspace_id": workspace_id})


_DELETE = "DELETE FROM headgate.credentials WHERE workspace_id = %(workspace_id)s AND name = %(name)s"


async def delete(tx: Transaction, workspace_id: UUID, name: str) -> bool:
    """Delete a credential. Whether there was one. Hold the workspace's lock."""
    return bool(await tx.execute(_DELETE, {"workspace_id": workspace_id, "name": name}))


_DELETE_ALL = """
    WITH gone AS (DELETE FROM headgate.credentials WHERE workspace_id = %(workspace_id)s)
    DELETE FROM headgate.data_keys WHERE workspace_id = %(workspace_id)s
"""


async def delete_all(tx: Transaction, workspace_id: UUID) -> None:
    """Delete all credentials of the workspace, and its data keys with them. Hold the workspace's lock."""
    await tx.execute(_DELETE_ALL, {"workspace_id": workspace_id})


_UNDER_RETIRED = f"""
    SELECT c.name, c.id, c.kind, c.version, c.sealed, {data_keys.COLUMNS}
    FROM headgate.credentials c
    JOIN headgate.data_keys k ON k.workspace_id = c.workspace_id AND k.id = c.data_key_id
    WHERE c.workspace_id = %(workspace_id)s AND k.retired_at IS NOT NULL AND c.name > %(after)s
    ORDER BY c.name LIMIT %(limit)s
"""  # noqa: S608 - constants


async def under_retired_keys(tx: Transaction, workspace_id: UUID, after: str, limit: int) -> list[Stored]:
    """Credentials whose data key seals nothing new any more, by name. Hold the workspace's lock."""
    parameters = {"workspace_id": workspace_id, "after": after, "limit": limit}
    return [stored(workspace_id, row) for row in await tx.rows(_UNDER_RETIRED, parameters)]


_RESEAL = """
    UPDATE headgate.credentials c SET data_key_id = %(data_key_id)s, sealed = s.sealed
    FROM unnest(CAST(%(names)s AS text[]), CAST(%(sealed)s AS bytea[])) AS s (name, sealed)
    WHERE c.workspace_id = %(workspace_id)s AND c.name = s.name
"""


async def reseal(tx: Transaction, workspace_id: UUID, key_id: UUID, sealed: Sequence[tuple[str, Sealed]]) -> int:
    """Keep the same values under another data key. Hold the workspace's lock."""
    parameters = {
        "workspace_id": workspace_id,
        "data_key_id": key_id,
        "names": [name for name, _ in sealed],
        "sealed": [under.box for _, under in sealed],
    }
    return await tx.execute(_RESEAL, parameters)


def stored(workspace_id: UUID, row: Any) -> Stored:
    """What a row says that has a credential's columns and those of its data key."""
    return Stored(
        Place(workspace_id, row.id, row.name, row.kind, row.version),
        Sealed(row.key_id, row.sealed),
        data_keys.wrapped_key(workspace_id, row),
    )
