"""Statements that hand credentials out, and keep who was given them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store import data_keys
from headgate.store.credentials import Stored, stored
from headgate.store.database import Transaction
from headgate.store.tasks import TaskKey

# Locked, so that the attempt neither ends nor becomes another's before the release is recorded.
_HELD = """
    SELECT t.work FROM headgate.tasks t
    WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = %(run_id)s AND t.node = %(node)s
        AND t.attempt = %(attempt)s AND t.kind = 'runner' AND t.holder = %(holder)s
        AND t.expires_at > %(now)s
    FOR NO KEY UPDATE
"""


async def held(tx: Transaction, key: TaskKey, holder: str, now: datetime) -> Mapping[str, Any] | None:
    """The work of an attempt that the holder has; None for any other attempt, and for one that must have ended.

    A lease that ran out and that nobody took is still its holder's. It stays that until the transaction ends, and
    releases to it take turns.
    """
    work: Mapping[str, Any] | None = await tx.value(_HELD, key.parameters() | {"holder": holder, "now": now})
    return work


# Credential and data key are read by one statement: whatever rotates them meanwhile, the two belong together. Earlier
# releases are counted here and not with the lock, whose statement may have begun before the one that it waited for.
_RELEASE = f"""
    WITH found AS MATERIALIZED (
        SELECT w.release_id, c.name, c.id, c.kind, c.version, c.sealed, {data_keys.COLUMNS}
        FROM unnest(CAST(%(names)s AS text[]), CAST(%(ids)s AS uuid[])) AS w (name, release_id)
        JOIN headgate.credentials c ON c.workspace_id = %(workspace_id)s AND c.name = w.name
        JOIN headgate.data_keys k ON k.workspace_id = c.workspace_id AND k.id = c.data_key_id
    ), recorded AS (
        INSERT INTO headgate.credential_releases (workspace_id, execution_id, node, attempt, id, credential,
            credential_id, version, runner, released_at)
        SELECT %(workspace_id)s, %(run_id)s, %(node)s, %(attempt)s, release_id, name, id, version, %(holder)s, %(now)s
        FROM found
    )
    SELECT *, (
        SELECT count(*) FROM headgate.credential_releases
        WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND node = %(node)s
            AND attempt = %(attempt)s
    ) AS earlier FROM found
"""  # noqa: S608 - constants


async def release(
    tx: Transaction, key: TaskKey, names: Mapping[str, UUID], holder: str, now: datetime
) -> tuple[dict[str, Stored], int]:
    """The credentials of those names that there are, each recorded as released under its id in ``names``.

    And how many releases to the attempt there were before, where there is one. Hold the attempt.
    """
    parameters = {"names": list(names), "ids": list(names.values()), "holder": holder, "now": now}
    rows = await tx.rows(_RELEASE, key.parameters() | parameters)
    return {row.name: stored(key.workspace_id, row) for row in rows}, max((row.earlier for row in rows), default=0)


_OF_CREDENTIAL = """
    SELECT execution_id, node, attempt, credential, version, runner, released_at
    FROM headgate.credential_releases
    WHERE workspace_id = %(workspace_id)s AND credential = %(name)s
    ORDER BY id DESC LIMIT %(limit)s
"""


async def of_credential(tx: Transaction, workspace_id: UUID, name: str, limit: int) -> list[Any]:
    """The newest releases of what had that name."""
    return await tx.rows(_OF_CREDENTIAL, {"workspace_id": workspace_id, "name": name, "limit": limit})
