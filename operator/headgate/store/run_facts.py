"""Statements about what a run was given, and what its nodes have given so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.records import RunKey

_FACTS = """
    SELECT e.inputs, e.event, (
        SELECT jsonb_object_agg(s.node, s.output ORDER BY s.attempt) FROM headgate.workflow_execution_steps s
        WHERE s.workspace_id = %(workspace_id)s AND s.started_at = %(started_at)s AND s.execution_id = %(run_id)s
            AND s.phase = 'Succeeded' AND s.node = ANY(%(nodes)s) AND s.output IS NOT NULL
    ) AS outputs
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = %(workspace_id)s AND e.started_at = %(started_at)s AND e.id = %(run_id)s
"""


async def facts(
    tx: Transaction, key: RunKey, nodes: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]:
    """The run's inputs, the outputs of ``nodes`` that have one, and the event that set the run off."""
    row = await tx.one(_FACTS, key.parameters() | {"nodes": list(nodes)})
    return row.inputs, row.outputs or {}, row.event


@dataclass(frozen=True)
class RunOrigin:
    """What a run was asked for with."""

    workflow_id: UUID
    version_id: UUID
    trigger: str
    inputs: Mapping[str, Any]
    event: Mapping[str, Any] | None


_ORIGIN = """
    SELECT workflow_id, version_id, trigger_node, inputs, event FROM headgate.workflow_executions
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND id = %(run_id)s
"""


async def origin(tx: Transaction, key: RunKey) -> RunOrigin | None:
    """What the run was asked for with, or None where there is no such run."""
    row = await tx.row(_ORIGIN, key.parameters())
    return None if row is None else RunOrigin(*row)


_SUCCEEDED = """
    SELECT node, output, branch FROM headgate.workflow_execution_steps
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
        AND phase = 'Succeeded'
    ORDER BY attempt
"""


async def succeeded(tx: Transaction, key: RunKey) -> list[tuple[str, Any, str | None]]:
    """Names, outputs and branches of the nodes that succeeded."""
    return [(row.node, row.output, row.branch) for row in await tx.rows(_SUCCEEDED, key.parameters())]


_ITEMS = """
    SELECT output FROM headgate.workflow_execution_steps
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
        AND node = %(node)s
    ORDER BY attempt DESC LIMIT 1
"""


async def items(tx: Transaction, key: RunKey, node: str) -> list[Any]:
    """What a node that runs for every item of a list has in the place of its output until it has ended."""
    found: list[Any] = await tx.value(_ITEMS, key.parameters() | {"node": node}) or []
    return found


_RESULTS = """
    SELECT node, output FROM headgate.workflow_execution_steps
    WHERE workspace_id = %(workspace_id)s AND started_at = %(started_at)s AND execution_id = %(run_id)s
        AND starts_with(node, %(prefix)s) AND phase = 'Succeeded' AND output IS NOT NULL
    ORDER BY attempt
"""


async def results(tx: Transaction, key: RunKey, node: str) -> dict[str, Any]:
    """The outputs of a node's items, by their names."""
    rows = await tx.rows(_RESULTS, key.parameters() | {"prefix": f"{node}."})
    return {row.node: row.output for row in rows}
