"""Shows what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.api.debugging import RunMode
from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import Apart, breakpoint_of
from headgate.domain.ids import uuid7_time
from headgate.engine.archive.listing import ArchiveListing, Asked
from headgate.engine.archive.reading import ArchiveReader
from headgate.engine.bounds import clip
from headgate.engine.context import Context, run_key
from headgate.engine.definitions.definition import UnreadableVersion
from headgate.engine.reading.reasons import WAITING_MESSAGES, waiting_for_mutex, waiting_for_others
from headgate.engine.reading.run_views import attempt_views, node_views, node_waiting, shown_nodes, utc
from headgate.engine.types import NodeView, RunFilter, RunPage, RunSummary, RunView, TriggerKind, Waiting
from headgate.store import history, run_pages
from headgate.store.archive.parts import Part
from headgate.store.at_once import OneStatement
from headgate.store.database import Transaction
from headgate.store.records import RunKey

PAGE_SIZE = 500
"""Runs in a page at most."""
SETTLED = timedelta(minutes=5)
"""How far back a page of runs begins that may be late: what is there is not news, only how it goes on."""


async def run_view(context: Context, workspace_id: UUID, run_id: UUID) -> RunView | None:
    """A run as recorded, here or in the archive, or None when the workspace has no such run."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return None
    row = await history.run(OneStatement(context.database, workspace_id), key)
    if row is not None:
        return await _shown(context, key, row)
    found = await ArchiveReader(context, context.archive).run(workspace_id, run_id)
    return None if found is None else replace(await _shown(context, key, found.shown()), archived=True)


async def run_attempts(context: Context, workspace_id: UUID, run_id: UUID) -> tuple[NodeView, ...]:
    """All attempts of a run, here or in the archive. See ``Engine.run_attempts``."""
    key = run_key(workspace_id, run_id)
    if key is None:
        return ()
    rows = await history.attempts(OneStatement(context.database, workspace_id), key)
    if not rows:
        found = await ArchiveReader(context, context.archive).run(workspace_id, run_id)
        rows = found.attempts() if found is not None else []
    return attempt_views(rows)


async def _shown(context: Context, key: RunKey, row: Any) -> RunView:
    workspace_id, run_id = key.workspace_id, key.id
    tx = OneStatement(context.database, workspace_id)
    steps = {step["node"]: step for step in row.steps or ()}
    try:
        definition = await context.definitions.get(tx, workspace_id, row.version_id)
    except UnreadableVersion as problem:
        content, order = problem.content, tuple(steps)
        named = (content.namespace, content.name, content.number)
    else:
        named = (definition.namespace, definition.workflow, definition.number)
        order = shown_nodes(definition)
    apart = Apart.of(row.mode, row.options)
    return RunView(
        workspace_id=workspace_id,
        run_id=run_id,
        namespace=named[0],
        workflow=named[1],
        version=named[2],
        resource=row.resource,
        phase=RunPhase(row.status),
        started_at=key.started_at,
        finished_at=utc(row.finished_at),
        nodes=node_views(order, steps),
        waiting=_held(row.held) + _run_waiting(row) + node_waiting(order, row.waiting or ()),
        error_message=row.error_message,
        outputs=row.outputs,
        retries=row.retries,
        held=row.held,
        cancelling=row.cancelling,
        priority=row.priority,
        mode=apart.mode,
        breakpoint=breakpoint_of(apart.at) if apart.at is not None else None,
        resumed=apart.resumed,
        stepped=apart.stepped,
        kind=TriggerKind(row.trigger_kind),
        cost=row.cost,
        labels=row.labels,
        inputs=None if apart.is_normal else row.inputs,
    )


async def run_by_key(context: Context, workspace_id: UUID, trigger_key: str) -> RunView | None:
    """The run of a request, or None when there is none: not yet, or never."""
    async with context.database.tenant(workspace_id) as tx:
        run_id = await history.run_of_key(tx, workspace_id, trigger_key)
    return None if run_id is None else await run_view(context, workspace_id, run_id)


async def list_runs(
    context: Context, workspace_id: UUID, filters: RunFilter, cursor: str | None, limit: int
) -> RunPage:
    """Part of the workspace's runs. See ``Engine.list_runs``."""
    if not 1 <= limit <= PAGE_SIZE:
        raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
    before = _position(cursor) if cursor is not None else None
    statuses = tuple(sorted(phase.value for phase in filters.phases))

    listing = ArchiveListing(context, ArchiveReader(context, context.archive))
    asked = Asked(workspace_id, filters, before[1] if before is not None else None, limit)

    async def read(tx: Transaction) -> tuple[list[Any], list[Part]]:
        rows = await run_pages.page(
            tx,
            workspace_id,
            statuses=statuses,
            workflow=filters.workflow,
            since=filters.since,
            until=filters.until,
            labels=filters.labels,
            before=before,
            limit=limit,
        )
        return rows, await listing.holding(tx, asked, rows) if context.archive is not None else []

    if _is_settled(before, filters.until, context.now()):
        rows, holding = await context.late(workspace_id, read)
    else:
        async with context.database.tenant(workspace_id) as tx:
            rows, holding = await read(tx)
    archived = await listing.page(asked, rows, holding) if holding else None
    if archived is not None:
        rows = list(archived.rows)
    runs = tuple(
        RunSummary(
            run_id=row.id,
            namespace=row.namespace,
            workflow=row.workflow,
            version=row.version,
            phase=RunPhase(row.status),
            kind=TriggerKind(row.trigger_kind),
            resource=row.resource,
            started_at=row.started_at.astimezone(UTC),
            finished_at=utc(row.finished_at),
            duration_ms=row.duration_ms,
            error_message=row.error_message,
            waiting=row.waiting_reason,
            labels=row.labels,
            mode=RunMode(row.mode),
        )
        for row in rows
    )
    following = archived.next_cursor if archived is not None else runs[-1].run_id if len(runs) == limit else None
    return RunPage(runs, str(following) if following is not None else None)


def _is_settled(before: tuple[datetime, UUID] | None, until: datetime | None, now: datetime) -> bool:
    """Whether a page has only runs that were there a while ago, so that nobody looks for what they did just now."""
    newest = min((at for at in (before and before[0], until) if at is not None), default=now)
    return newest <= now - SETTLED


def _position(cursor: str) -> tuple[datetime, UUID]:
    """Where a page begins. The id of the run before it says all: its time is in it."""
    try:
        run_id = UUID(cursor)
        return uuid7_time(run_id), run_id
    except (ValueError, OverflowError):
        raise ValueError("the cursor is not one that a list gave") from None


def _run_waiting(row: Any) -> tuple[Waiting, ...]:
    match row.waiting_reason:
        case None:
            return ()
        case "Mutex":
            message = waiting_for_mutex(row.mutex, row.holder)
        case "WorkflowConcurrency":
            message = waiting_for_others(row.concurrency_limit)
        case reason:
            message = WAITING_MESSAGES.get(reason, "")
    return (Waiting(row.waiting_reason, clip(message), None, utc(row.waiting_until)),)


def _held(held: str | None) -> tuple[Waiting, ...]:
    """Why a run is Suspended: the word before the colon, and the sentence behind it."""
    if held is None:
        return ()
    reason, _, message = held.partition(": ")
    return (Waiting(reason, message),)
