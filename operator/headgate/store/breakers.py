"""Statements about circuit breakers. Whoever writes one holds the workspace's usage row since before."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction


@dataclass(frozen=True)
class BreakerRow:
    """A circuit breaker with its settings."""

    failure_threshold: int
    failure_window: timedelta
    cool_down: timedelta
    half_open_runs: int
    state: str
    failures: tuple[datetime, ...]
    opened_at: datetime | None
    retry_at: datetime | None
    episode: int
    probes: int
    passed: int
    reset: str | None


_FIND = """
    SELECT failure_threshold, failure_window, cool_down, half_open_runs, state, failures, opened_at, retry_at, episode,
        probes, passed, reset
    FROM headgate.workspace_circuit_breakers
    WHERE workspace_id = %(workspace_id)s
"""


async def find(tx: Transaction, workspace_id: UUID) -> BreakerRow | None:
    """The workspace's circuit breaker."""
    row = await tx.row(_FIND, {"workspace_id": workspace_id})
    return None if row is None else breaker_of(row)


def breaker_of(row: Any) -> BreakerRow:
    """The circuit breaker that a row holds, by the names of its columns."""
    values = {field.name: getattr(row, field.name) for field in fields(BreakerRow)}
    return BreakerRow(**{**values, "failures": tuple(row.failures)})


_HOLD = "SELECT FROM headgate.workspace_usage WHERE workspace_id = %(workspace_id)s FOR UPDATE"


async def hold(tx: Transaction, workspace_id: UUID) -> None:
    """Hold the workspace's usage row, where nothing else of the transaction does."""
    await tx.execute(_HOLD, {"workspace_id": workspace_id})


_PUT = """
    UPDATE headgate.workspace_circuit_breakers
    SET state = %(state)s, failures = %(failures)s, opened_at = %(opened_at)s, retry_at = %(retry_at)s,
        episode = %(episode)s, probes = %(probes)s, passed = %(passed)s, reset = %(reset)s
    WHERE workspace_id = %(workspace_id)s
"""


async def put(tx: Transaction, workspace_id: UUID, row: BreakerRow) -> None:
    """Write all of the circuit breaker but its settings."""
    parameters = {
        "workspace_id": workspace_id,
        "state": row.state,
        "failures": list(row.failures),
        "opened_at": row.opened_at,
        "retry_at": row.retry_at,
        "episode": row.episode,
        "probes": row.probes,
        "passed": row.passed,
        "reset": row.reset,
    }
    await tx.execute(_PUT, parameters)
