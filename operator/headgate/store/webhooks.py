"""Statements about the webhook triggers of workflows, and about requests to them that nobody had signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store import data_keys
from headgate.store.credentials import Stored, stored
from headgate.store.database import Transaction
from headgate.store.fragments import compact
from headgate.store.records import to_json

_REPLACE = compact("""
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(CAST(%(webhooks)s AS jsonb))
            AS w (node text, hook text, credentials text[], config jsonb)
    ), removed AS (
        DELETE FROM headgate.workflow_webhooks h
        WHERE h.workspace_id = %(workspace_id)s AND h.workflow_id = %(workflow_id)s
            AND NOT EXISTS (SELECT FROM wanted w WHERE w.node = h.node)
    ), put AS (
        INSERT INTO headgate.workflow_webhooks AS h (workspace_id, workflow_id, node, hook, credentials, config)
        SELECT %(workspace_id)s, %(workflow_id)s, w.node, w.hook, w.credentials, w.config FROM wanted w
        ON CONFLICT (workspace_id, workflow_id, node) DO UPDATE
        SET hook = excluded.hook, credentials = excluded.credentials, config = excluded.config
        WHERE (h.hook, h.credentials, h.config) <> (excluded.hook, excluded.credentials, excluded.config)
    )
    SELECT w.hook FROM wanted w GROUP BY w.hook HAVING count(*) + (
        SELECT count(*) FROM headgate.workflow_webhooks o
        WHERE o.workspace_id = %(workspace_id)s AND o.hook = w.hook AND o.workflow_id <> %(workflow_id)s
    ) > %(most)s
    ORDER BY w.hook
""")


async def replace(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, configs: Mapping[str, Mapping[str, Any]], *, most: int
) -> list[str]:
    """Make these the webhooks of a workflow, by node. Returns the hooks that have more than ``most`` triggers now."""
    rows = [
        {
            "node": node,
            "hook": config["hook"],
            "credentials": sorted({secret["name"] for secret in config["secrets"]}),
            "config": config,
        }
        for node, config in configs.items()
    ]
    parameters = {"workspace_id": workspace_id, "workflow_id": workflow_id, "webhooks": to_json(rows), "most": most}
    return [row.hook for row in await tx.rows(_REPLACE, parameters)]


@dataclass(frozen=True)
class Listener:
    """A trigger that takes the deliveries of a hook."""

    namespace: str
    workflow: str
    node: str
    config: Mapping[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """Unique in the workspace."""
        return f"{self.namespace}/{self.workflow}/{self.node}"


_OF_HOOK = f"""
    SELECT w.namespace, w.name AS workflow, t.node, t.config, c.id, c.name, c.kind, c.version, c.sealed,
        {data_keys.COLUMNS}
    FROM headgate.workflow_webhooks t
    JOIN headgate.workflows w ON w.workspace_id = t.workspace_id AND w.id = t.workflow_id AND w.deleted_at IS NULL
    LEFT JOIN headgate.credentials c ON c.workspace_id = t.workspace_id AND c.name = ANY (t.credentials)
    LEFT JOIN headgate.data_keys k ON k.workspace_id = c.workspace_id AND k.id = c.data_key_id
    WHERE t.workspace_id = %(workspace_id)s AND t.hook = %(hook)s
    ORDER BY w.namespace, w.name, t.node
"""  # noqa: S608 - constants


async def of_hook(tx: Transaction, workspace_id: UUID, hook: str) -> tuple[tuple[Listener, ...], dict[str, Stored]]:
    """The triggers of a hook, and the credentials that they name, as far as there are any, by name."""
    rows = await tx.rows(_OF_HOOK, {"workspace_id": workspace_id, "hook": hook})
    configs = {(row.namespace, row.workflow, row.node): row.config for row in rows}
    found = {row.name: stored(workspace_id, row) for row in rows if row.id is not None}
    return tuple(Listener(*names, config) for names, config in configs.items()), found


_PAGE = """
    SELECT t.hook, w.namespace, w.name AS workflow, t.node, t.config, coalesce(r.total, 0) AS refused, r.last_at
    FROM headgate.workflow_webhooks t
    JOIN headgate.workflows w ON w.workspace_id = t.workspace_id AND w.id = t.workflow_id AND w.deleted_at IS NULL
    LEFT JOIN headgate.webhook_refusals r ON r.workspace_id = t.workspace_id AND r.hook = t.hook
    WHERE t.workspace_id = %(workspace_id)s AND t.hook IN (
        SELECT DISTINCT o.hook FROM headgate.workflow_webhooks o
        WHERE o.workspace_id = %(workspace_id)s AND o.hook > %(after)s ORDER BY o.hook LIMIT %(limit)s
    )
    ORDER BY t.hook, w.namespace, w.name, t.node
"""


async def page(tx: Transaction, workspace_id: UUID, after: str, limit: int) -> list[Any]:
    """The triggers of up to ``limit`` hooks by name, those after ``after``, and what was refused at each hook."""
    return await tx.rows(_PAGE, {"workspace_id": workspace_id, "after": after, "limit": limit})


_REFUSALS = (
    "SELECT total, last_at FROM headgate.webhook_refusals WHERE workspace_id = %(workspace_id)s AND hook = %(hook)s"
)


async def refusals(tx: Transaction, workspace_id: UUID, hook: str) -> Any | None:
    """How many requests to a hook nobody had signed, and the last one."""
    return await tx.row(_REFUSALS, {"workspace_id": workspace_id, "hook": hook})


_COUNT_REFUSALS = """
    INSERT INTO headgate.webhook_refusals AS r (workspace_id, hook, total, last_at)
    SELECT %(workspace_id)s, n.hook, n.total, n.last_at
    FROM unnest(CAST(%(hooks)s AS text[]), CAST(%(totals)s AS bigint[]), CAST(%(times)s AS timestamptz[]))
        AS n (hook, total, last_at)
    ORDER BY n.hook
    ON CONFLICT (workspace_id, hook) DO UPDATE
    SET total = r.total + excluded.total, last_at = greatest(r.last_at, excluded.last_at)
"""


async def count_refusals(tx: Transaction, workspace_id: UUID, refused: Mapping[str, tuple[int, datetime]]) -> None:
    """Add to what was refused at hooks: how many, and the last one."""
    parameters = {
        "workspace_id": workspace_id,
        "hooks": list(refused),
        "totals": [total for total, _ in refused.values()],
        "times": [last for _, last in refused.values()],
    }
    await tx.execute(_COUNT_REFUSALS, parameters)
