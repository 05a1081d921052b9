"""What the end of a run means for its workspace's circuit breaker, in the run's own transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from headgate.api.circuit_breaker import BreakerState
from headgate.api.workflow_run import RunPhase
from headgate.domain import breaker as breakers
from headgate.domain.audit import Action, Actor
from headgate.domain.breaker import Breaker, BreakerSettings
from headgate.engine.acts import done
from headgate.engine.audit import record
from headgate.engine.bounds import clip
from headgate.engine.context import Context
from headgate.engine.types import NO_EFFECTS, BreakerView, Effects
from headgate.store import breakers as store
from headgate.store.breakers import BreakerRow
from headgate.store.database import Transaction


async def settle(
    tx: Transaction, workspace_id: UUID, phase: RunPhase, now: datetime, *, since: datetime, probe: int | None
) -> Effects:
    """Take in that a run ended which had started at ``since``. The transaction must hold the workspace's usage row.

    Costs nothing where the run succeeded and was not being tried; otherwise one statement to look, and one to write
    where something changed.
    """
    if phase is not RunPhase.FAILED and probe is None:
        return NO_EFFECTS
    row = await store.find(tx, workspace_id)
    if row is None:
        return NO_EFFECTS
    before, settings = _breaker(row), _settings(row)
    if phase is RunPhase.FAILED:
        after = breakers.failed(before, settings, now, since=since, probe=probe)
    elif phase is RunPhase.SUCCEEDED:
        after = breakers.succeeded(before, settings, probe=probe)
    else:
        after = breakers.withdrawn(before, probe=probe)
    if after != before:
        await store.put(tx, workspace_id, _row(row, after, row.reset))
    return Effects(breakers=frozenset([workspace_id] if after.state is not before.state else []))


async def reset_breaker(context: Context, workspace_id: UUID, token: str, by: Actor | None = None) -> Effects:
    """Close the circuit breaker, unless that was done for this token. See ``Workspaces.reset_breaker``."""
    async with context.database.tenant(workspace_id) as tx:
        await store.hold(tx, workspace_id)
        row = await store.find(tx, workspace_id)
        if row is None or row.reset == token:
            return Effects()
        await store.put(tx, workspace_id, _row(row, breakers.reset(_breaker(row)), token))
        act = done(by, Action.BREAKER_RESET, "breaker", token=clip(token), state=row.state)
        await record(tx, workspace_id, context.now(), act)
    return Effects(breakers=frozenset([workspace_id]))


def view(row: BreakerRow, now: datetime) -> BreakerView:
    """The circuit breaker as it is told."""
    breaker = _breaker(row)
    return BreakerView(
        state=breaker.state,
        failures=len(breaker.recent(row.failure_window, now)),
        opened_at=breaker.opened_at,
        retry_at=breaker.retry_at,
        reset=row.reset,
    )


def _settings(row: BreakerRow) -> BreakerSettings:
    return BreakerSettings(row.failure_threshold, row.failure_window, row.cool_down, row.half_open_runs)


def _breaker(row: BreakerRow) -> Breaker:
    return Breaker(
        state=BreakerState(row.state),
        failures=row.failures,
        opened_at=row.opened_at,
        retry_at=row.retry_at,
        episode=row.episode,
        probes=row.probes,
        passed=row.passed,
    )


def _row(row: BreakerRow, after: Breaker, reset: str | None) -> BreakerRow:
    return replace(
        row,
        state=after.state.value,
        failures=after.failures,
        opened_at=after.opened_at,
        retry_at=after.retry_at,
        episode=after.episode,
        probes=after.probes,
        passed=after.passed,
        reset=reset,
    )
