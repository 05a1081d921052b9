"""Starts runs that had to wait: those of the highest priority first, and of these the oldest."""

from __future__ import annotations

from uuid import UUID

import structlog

from headgate.domain.storage import StorageLeft
from headgate.engine.context import Context, run_key
from headgate.engine.control.unreadable import fail_unreadable
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.starting.admission import decide, follow_up
from headgate.engine.starting.deadlocks import break_deadlocks
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.outcome import states_of
from headgate.engine.types import Effects
from headgate.store import pending, run_facts, runs, starting, storage, workspaces
from headgate.store.errors import DatabaseUnavailable
from headgate.store.fragments import UNCOUNTED
from headgate.store.records import RunKey, size
from headgate.store.starting import NARROW, NewRun, Verdict

_log = structlog.get_logger(__name__)

HOLDS_UP_ALL = ("Suspended", "DailyLimit", "Budget")
"""Reasons of a run that has to wait, for which every other run of the workspace has to wait too."""
MOST_PASSED = 20
"""Runs that are gone past, or told anew what they wait for, in one go; the next round goes on with others."""


async def start_pending(context: Context, workspace_id: UUID) -> Effects:
    """Start what there is room for, one transaction for each run, until the first one has to go on waiting.

    Behind that one still start the called runs that need no place, as they have their callers': the place for which it
    waits may be that of a caller. Runs that limits of their own hold up are gone past. Where one of them was recorded
    as waiting for something else, it is tried as well, so that its view says what holds it up.
    """
    effects = Effects()
    passed: list[UUID] = []
    full = False
    while len(passed) < MOST_PASSED:
        async with context.database.tenant(workspace_id) as tx:
            found = await pending.pending(tx, workspace_id, passed, MOST_PASSED)
        if found.first is None:
            for unaware in found.unaware:
                _, new = await _try(context, workspace_id, unaware)
                effects |= new
            return effects
        run_id = found.called if full else found.first
        if run_id is None:
            return effects
        verdict, new = await _try(context, workspace_id, run_id)
        effects |= new
        if verdict is None or verdict.reason in HOLDS_UP_ALL:
            return effects
        if verdict.reason is None:
            continue
        if full or verdict.reason in UNCOUNTED:
            passed.append(run_id)
        elif found.called is None:
            return effects
        full |= verdict.reason not in UNCOUNTED
    return effects


async def start_all_pending(context: Context) -> Effects:
    """``start_pending`` for every workspace with Pending runs.

    The net below all that starts them at once: it catches a crash between the end of a run and the start of the next,
    the turn of the UTC day, and the moment in which a workspace is unsuspended while a run is being admitted. Runs that
    came to wait for each other without a call being made, or before a crash, are found here as well. What is wrong in
    one workspace is logged and leaves the others alone.
    """
    async with context.database.system() as tx:
        waiting = await workspaces.with_pending_runs(tx)
    effects = Effects()
    for workspace_id in waiting:
        try:
            effects |= await start_pending(context, workspace_id)
            effects |= await break_deadlocks(context, workspace_id)
        except DatabaseUnavailable:
            raise
        except Exception:
            _log.exception("pending_runs_failed", workspace_id=str(workspace_id))
    return effects


async def start_in_pot(context: Context, pot: str) -> Effects:
    """``start_pending`` for the workspaces that share a pot, the one whose run waits the longest first."""
    async with context.database.system() as tx:
        waiting = await workspaces.waiting_in_pot(tx, pot)
    effects = Effects()
    for workspace_id in waiting:
        effects |= await start_pending(context, workspace_id)
    return effects


async def _try(context: Context, workspace_id: UUID, run_id: UUID) -> tuple[Verdict | None, Effects]:
    """No verdict when somebody else has started it."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return None, Effects()
    try:
        return await _start(context, key)
    except UnreadableVersion as problem:
        return Verdict(None), await fail_unreadable(context, key, problem)


async def _start(context: Context, key: RunKey) -> tuple[Verdict | None, Effects]:
    now = context.now()
    async with context.database.tenant(key.workspace_id, lock=key.id) as tx:
        loaded = await runs.load(tx, key)
        if loaded is None or loaded.status != "Pending":
            # Whoever was faster goes on with the next one.
            return None, Effects()
        definition = await context.definitions.get(tx, key.workspace_id, loaded.version_id)
        inputs, _, event = await run_facts.facts(tx, key, ())
        given = size(inputs) + size(event)
        # Of a retried run it was counted when that started first, or ended without having started.
        kept, own = (0, given) if loaded.retries else (given, 0)

        async def begin(left: StorageLeft | None = None) -> tuple[NewRun, Verdict | None]:
            states, facts = states_of(definition.graph, loaded), Facts(tx, key, definition.workflow_id, inputs, event)
            run = await decide(context, definition, key, states, facts, now, left=left)
            return run, await starting.start(tx, run, kept=kept, own=own)

        run, verdict = await begin()
        if verdict is not None and verdict.reason == NARROW:
            run, verdict = await begin((await storage.left(tx, key.workspace_id)).after(kept))
        if verdict is None:
            return None, Effects()
        if verdict.reason is not None:
            changed = (verdict.reason, verdict.until) != (loaded.waiting_reason, loaded.waiting_until)
            return verdict, Effects(frozenset([key.id] if changed else []))
        return verdict, await follow_up(tx, run, verdict)
