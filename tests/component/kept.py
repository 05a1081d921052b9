"""What a workspace keeps, by a query over the rows that knows nothing of how it is counted."""

from __future__ import annotations

from tests.component.world import World


def _json(column: str) -> str:
    return f"coalesce(sum(CASE WHEN {column} = '{{}}' THEN 0 ELSE octet_length({column}::text) END), 0)"


_KINDS = {
    "inputs": f"SELECT {_json('inputs')} + {_json('event')} + {_json('options')} FROM workflow_executions",
    "outputs of runs": f"SELECT {_json('outputs')} FROM workflow_executions",
    "outputs of nodes": f"SELECT {_json('output')} FROM workflow_execution_steps",
    "logs": "SELECT coalesce(sum(log_bytes), 0) FROM workflow_execution_steps",
    "artifacts": "SELECT coalesce(sum(bytes), 0) FROM run_artifacts",
    "artifacts on their way": "SELECT coalesce(sum(bytes), 0) FROM unnoted_artifacts",
    "remembered": f"SELECT {_json('output')} FROM node_memos",
    "cursors": (
        "SELECT coalesce(sum(coalesce(octet_length(reached), 0) + coalesce(octet_length(pending), 0)), 0)"
        " FROM sync_cursors"
    ),
    "bodies of webhooks": "SELECT coalesce(sum(octet_length(sealed)), 0) FROM webhook_deliveries",
    "not given back yet": "SELECT coalesce(sum(stored_bytes), 0) FROM archive_parts",
    "logs of archived runs": "SELECT coalesce(sum(log_bytes), 0) FROM archive_parts",
}
_WHERE = {
    # What a run was given that waits is the queue's.
    "inputs": " AND (finished_at IS NOT NULL OR running_since IS NOT NULL OR retries > 0)",
    "not given back yet": " AND state = 'Removed'",
    "logs of archived runs": " AND state IN ('Removed', 'Settled', 'Expiring')",
}


async def kept(world: World, workspace: str = "acme") -> dict[str, int]:
    """Bytes by kind, those of which there are none left out."""
    found = {}
    for kind, query in _KINDS.items():
        of_schema = query.replace(" FROM ", " AS bytes FROM headgate.")
        where = f" WHERE workspace_id = %s{_WHERE.get(kind, '')}"
        [row] = await world.rows(of_schema + where, world.ids[workspace])
        found[kind] = int(row["bytes"])
    return {kind: size for kind, size in found.items() if size}


async def assert_exact(world: World, workspace: str = "acme") -> dict[str, int]:
    """What is counted is what is kept. What that is, by kind."""
    found = await kept(world, workspace)
    counted = int((await world.usage(workspace))["storage_bytes"])
    assert counted == sum(found.values()), (counted, found)
    return found


async def assert_pot_exact(world: World, pot: str, *workspaces: str) -> None:
    """A pot has what its workspaces have together."""
    sums = [sum((await assert_exact(world, workspace)).values()) for workspace in workspaces]
    assert (await world.pot(pot))["storage_bytes"] == sum(sums)
