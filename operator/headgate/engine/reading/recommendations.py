"""Looks after each workspace once a day: recommends what could go better, and fills in what the past lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from headgate.api.node import DEFAULT_TIMEOUT
from headgate.domain.recommendations import DAYS, NodeDays, Rule, recommend
from headgate.engine.context import Context
from headgate.store import ended_labels, recommendations
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable

MOST_WORKSPACES = 20
"""Workspaces that are looked after at once at most."""
MOST_LISTED = 500
MOST_FILLED = 1000
"""What is given words, or rows of labels, in one transaction at most."""
_MAY_RETRY = frozenset({"container", "script", "http", "sql", "transform"})


_log = structlog.get_logger("headgate.recommendations")


@dataclass(frozen=True)
class RecommendationView:
    """One thing to change."""

    namespace: str
    workflow: str
    node: str
    rule: Rule
    message: str
    made_at: datetime
    """When it was said first in these words."""


class Recommendations:
    """Each workspace is a transaction of its own: one that fails is tried again, and does not disturb the others."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def make(self, now: datetime) -> bool:
        """Look after some workspaces that were not looked after today. Returns whether there may be more of them.

        A workspace with more to fill in than fits into one transaction is one of these once more. One that fails
        is logged, and left for later.
        """
        today = now.astimezone(UTC).date()
        async with self._context.database.system() as tx:
            due = await recommendations.due(tx, today, MOST_WORKSPACES)
        done = 0
        for workspace_id in due:
            try:
                await self._look_after(workspace_id, today, now)
                done += 1
            except (DatabaseUnavailable, DatabaseNotMigrated):
                raise
            except Exception:
                _log.exception("a workspace is left for later", workspace_id=str(workspace_id))
        return done > 0

    async def listed(self, workspace_id: UUID) -> tuple[RecommendationView, ...]:
        """What is recommended to the workspace, by workflow and node."""
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await recommendations.listed(tx, workspace_id, MOST_LISTED)
        return tuple(
            RecommendationView(
                row.namespace, row.workflow, row.node, Rule(row.rule), row.message, row.made_at.astimezone(UTC)
            )
            for row in rows
        )

    async def _look_after(self, workspace_id: UUID, today: date, now: datetime) -> None:
        async with self._context.database.tenant(workspace_id) as tx:
            # Labels go on from where they stopped; what lacks words is looked for among all there is.
            if await ended_labels.fill(tx, workspace_id, MOST_FILLED):
                return
            if await recommendations.fill(tx, workspace_id, MOST_FILLED):
                return
            rows = await recommendations.nodes(tx, workspace_id, today - timedelta(days=DAYS))
            await recommendations.replace(tx, workspace_id, recommend(map(_days, rows)), now)
            await recommendations.mark(tx, workspace_id, today)


def _days(row: Any) -> NodeDays:
    spec: Mapping[str, Any] = row.node_spec
    return NodeDays(
        workflow_id=row.workflow_id,
        workflow=row.workflow,
        node=row.node,
        attempts=row.attempts,
        failed=row.failed,
        average_ms=row.duration_ms // max(1, row.attempts),
        longest_ms=row.longest_ms,
        may_retry=not _MAY_RETRY.isdisjoint(spec.get("config", {})),
        retries=spec.get("retry", {}).get("limit", 0) > 0,
        has_timeout=spec.get("timeout", DEFAULT_TIMEOUT) != DEFAULT_TIMEOUT,
    )
