"""Statements about the keys that credentials lie under."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.envelope import WrappedKey
from headgate.store.database import Transaction

COLUMNS = "k.id AS key_id, k.key_encryption_key, k.wrapped"
"""What ``wrapped_key`` reads; ``k`` is the table."""


def wrapped_key(workspace_id: UUID, row: Any) -> WrappedKey:
    """The data key in a row that has ``COLUMNS``."""
    return WrappedKey(workspace_id, row.key_id, row.key_encryption_key, row.wrapped)


_CURRENT = f"""
    SELECT {COLUMNS} FROM headgate.data_keys k WHERE k.workspace_id = %(workspace_id)s AND k.retired_at IS NULL
"""  # noqa: S608 - constants


async def current(tx: Transaction, workspace_id: UUID) -> WrappedKey | None:
    """The data key that seals; None where the workspace never had a credential."""
    row = await tx.row(_CURRENT, {"workspace_id": workspace_id})
    return None if row is None else wrapped_key(workspace_id, row)


_ADD = """
    INSERT INTO headgate.data_keys (workspace_id, id, key_encryption_key, wrapped, created_at)
    VALUES (%(workspace_id)s, %(id)s, %(key_encryption_key)s, %(wrapped)s, %(now)s)
"""


async def add(tx: Transaction, key: WrappedKey, now: datetime) -> None:
    """Make a data key the current one. There must be none, or it must have been retired."""
    await tx.execute(_ADD, _parameters(key) | {"now": now})


_RETIRE = """
    UPDATE headgate.data_keys SET retired_at = %(now)s WHERE workspace_id = %(workspace_id)s AND retired_at IS NULL
"""


async def retire(tx: Transaction, workspace_id: UUID, now: datetime) -> bool:
    """Let the current data key seal nothing any more. Whether there was one."""
    return bool(await tx.execute(_RETIRE, {"workspace_id": workspace_id, "now": now}))


_DROP_UNUSED = """
    DELETE FROM headgate.data_keys k
    WHERE k.workspace_id = %(workspace_id)s AND k.retired_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM headgate.credentials c WHERE c.workspace_id = k.workspace_id AND c.data_key_id = k.id
    ) AND NOT EXISTS (
        SELECT FROM headgate.webhook_deliveries d WHERE d.workspace_id = k.workspace_id AND d.data_key_id = k.id
    )
"""


async def drop_unused(tx: Transaction, workspace_id: UUID) -> int:
    """Delete the retired data keys under which nothing lies. Hold the workspace's lock."""
    return await tx.execute(_DROP_UNUSED, {"workspace_id": workspace_id})


_OTHERWISE_WRAPPED = f"""
    SELECT {COLUMNS} FROM headgate.data_keys k
    WHERE k.workspace_id = %(workspace_id)s AND k.key_encryption_key <> %(key_encryption_key)s
    ORDER BY k.id
"""  # noqa: S608 - constants


async def otherwise_wrapped(tx: Transaction, workspace_id: UUID, key_encryption_key: str) -> list[WrappedKey]:
    """The workspace's data keys that another key-encryption key wraps."""
    parameters = {"workspace_id": workspace_id, "key_encryption_key": key_encryption_key}
    return [wrapped_key(workspace_id, row) for row in await tx.rows(_OTHERWISE_WRAPPED, parameters)]


_REWRAP = """
    UPDATE headgate.data_keys SET key_encryption_key = %(key_encryption_key)s, wrapped = %(wrapped)s
    WHERE workspace_id = %(workspace_id)s AND id = %(id)s
"""


async def rewrap(tx: Transaction, key: WrappedKey) -> None:
    """Keep the data key as it is wrapped now. Hold the workspace's lock."""
    await tx.execute(_REWRAP, _parameters(key))


_WORKSPACES_TO_REWRAP = """
    SELECT DISTINCT workspace_id FROM headgate.data_keys
    WHERE key_encryption_key <> %(key_encryption_key)s AND workspace_id > %(after)s
    ORDER BY workspace_id LIMIT %(limit)s
"""


async def workspaces_to_rewrap(tx: Transaction, key_encryption_key: str, after: UUID, limit: int) -> list[UUID]:
    """Workspaces with data keys that another key-encryption key wraps, in order. Takes a system transaction."""
    parameters = {"key_encryption_key": key_encryption_key, "after": after, "limit": limit}
    return [row.workspace_id for row in await tx.rows(_WORKSPACES_TO_REWRAP, parameters)]


_WITH_KEYS = """
    SELECT DISTINCT workspace_id FROM headgate.data_keys WHERE workspace_id > %(after)s
    ORDER BY workspace_id LIMIT %(limit)s
"""


async def workspaces_with_keys(tx: Transaction, after: UUID, limit: int) -> list[UUID]:
    """Workspaces that have data keys, in order. Takes a system transaction."""
    return [row.workspace_id for row in await tx.rows(_WITH_KEYS, {"after": after, "limit": limit})]


def _parameters(key: WrappedKey) -> dict[str, Any]:
    return {
        "workspace_id": key.workspace_id,
        "id": key.id,
        "key_encryption_key": key.key_encryption_key,
        "wrapped": key.box,
    }
