"""Statements about API keys. All of them are a tenant transaction's: a key names its workspace itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.domain.api_keys import ApiKey
from headgate.store.database import Transaction

_VIEW = "id, name, role, scopes, created_at, created_by, expires_at, last_used_at, revoked_at, revoked_by"
_LAST = UUID(int=2**128 - 1)
"""Greater than any id, so that the first page is a range of the index like any other."""


@dataclass(frozen=True)
class KeyTerms:
    """What a new key is."""

    name: str
    role: str
    scopes: Iterable[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None


_ADD = f"""
    INSERT INTO headgate.api_keys (workspace_id, id, hash, name, role, scopes, created_at, created_by, expires_at)
    SELECT %(workspace_id)s, %(id)s, %(hash)s, %(name)s, %(role)s, %(scopes)s, %(created_at)s, %(created_by)s,
        %(expires_at)s
    WHERE (
        SELECT count(*) FROM (
            SELECT FROM headgate.api_keys
            WHERE workspace_id = %(workspace_id)s AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > %(created_at)s)
            LIMIT %(limit)s
        ) good
    ) < %(limit)s
    RETURNING {_VIEW}
"""  # noqa: S608 - constants


async def add(tx: Transaction, key: ApiKey, terms: KeyTerms, *, limit: int) -> Any | None:
    """Keep a new key, or None where ``limit`` of the workspace are good. Exact under a lock of the workspace."""
    parameters = vars(terms) | {
        "workspace_id": key.workspace_id,
        "id": key.id,
        "hash": key.hash,
        "scopes": sorted(terms.scopes),
        "limit": limit,
    }
    return await tx.row(_ADD, parameters)


_FIND = """
    SELECT k.name, k.role, k.scopes, k.hash, k.expires_at, k.revoked_at, k.last_used_at,
        w.name AS workspace
    FROM headgate.api_keys k JOIN headgate.workspaces w ON w.id = k.workspace_id
    WHERE k.workspace_id = %(workspace_id)s AND k.id = %(id)s AND w.deleted_at IS NULL
"""


async def find(tx: Transaction, key: ApiKey) -> Any | None:
    """What is kept under the key's id, in a workspace that has not been retired."""
    return await tx.row(_FIND, {"workspace_id": key.workspace_id, "id": key.id})


_TOUCH = """
    UPDATE headgate.api_keys SET last_used_at = %(now)s
    WHERE workspace_id = %(workspace_id)s AND id = %(id)s AND (last_used_at IS NULL OR last_used_at <= %(before)s)
"""


async def touch(tx: Transaction, key: ApiKey, now: datetime, *, every: timedelta) -> None:
    """Record that the key was used, unless that was recorded within ``every``."""
    await tx.execute(_TOUCH, {"workspace_id": key.workspace_id, "id": key.id, "now": now, "before": now - every})


_PAGE = f"""
    SELECT {_VIEW} FROM headgate.api_keys
    WHERE workspace_id = %(workspace_id)s AND id < %(before)s
    ORDER BY id DESC LIMIT %(limit)s
"""  # noqa: S608 - constants


async def page(tx: Transaction, workspace_id: UUID, before: UUID | None, limit: int) -> list[Any]:
    """Up to ``limit`` keys, the newest first, older than ``before``."""
    return await tx.rows(_PAGE, {"workspace_id": workspace_id, "before": before or _LAST, "limit": limit})


_REVOKE = f"""
    WITH before AS (
        SELECT id AS key_id, revoked_at IS NULL AS revoked_now FROM headgate.api_keys
        WHERE workspace_id = %(workspace_id)s AND id = %(id)s
        FOR UPDATE
    )
    UPDATE headgate.api_keys
    SET revoked_at = coalesce(revoked_at, %(now)s), revoked_by = coalesce(revoked_by, %(by)s)
    FROM before WHERE workspace_id = %(workspace_id)s AND id = key_id
    RETURNING {_VIEW}, revoked_now
"""  # noqa: S608 - constants


async def revoke(tx: Transaction, workspace_id: UUID, key_id: UUID, by: str, now: datetime) -> Any | None:
    """End a key, or None where there is none. One that was revoked stays, and is not ``revoked_now``."""
    return await tx.row(_REVOKE, {"workspace_id": workspace_id, "id": key_id, "by": by, "now": now})
