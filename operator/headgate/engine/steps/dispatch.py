"""Hands attempts to those who run them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from headgate.api.builtin import Script
from headgate.api.node import Container
from headgate.domain.cost import Footprint
from headgate.domain.run_status import ROOM
from headgate.engine.bounds import REASON_BYTES, clip
from headgate.engine.context import Context, run_key
from headgate.engine.types import Claimed, ClaimTerms, Effects, JobTask, TaskRef, Waiting
from headgate.store import claims, leases, tasks
from headgate.store.tasks import QueuedTask, TaskKey

_log = structlog.get_logger(__name__)


async def claim_jobs(context: Context, terms: ClaimTerms, now: datetime, leave: Collection[UUID]) -> Claimed:
    """Lease attempts that are due, workspaces taking turns. See ``Engine.claim_jobs``."""
    async with context.database.system(lock=claims.CLAIM_LOCK, by_index=True) as tx:
        found, next_due = await claims.claim(tx, terms, now, leave)
    return Claimed(_readable(found), next_due.astimezone(UTC) if next_due is not None else None)


async def give_back(context: Context, holder: str, refs: Iterable[TaskRef], now: datetime) -> None:
    """End leases before their time. See ``Engine.give_back``."""
    keys = [_key(ref) for ref in refs]
    if keys:
        async with context.database.system() as tx:
            await tasks.give_back(tx, keys, holder=holder, now=now)


async def take_over_claims(context: Context, holder: str, now: datetime) -> int:
    """End all leases of a holder that has died. See ``Engine.take_over_claims``."""
    async with context.database.system() as tx:
        return await leases.end_claims(tx, holder, now)


async def open_tasks(context: Context) -> tuple[JobTask, ...]:
    """Every attempt that has not ended."""
    async with context.database.system() as tx:
        return _readable(await tasks.open_tasks(tx))


async def record_jobs(
    context: Context, jobs: Iterable[tuple[TaskRef, str]], claimed_at: datetime | None = None
) -> Effects:
    """Remember the Jobs' uids. See ``Engine.record_jobs``."""
    listed = [(_key(ref), uid) for ref, uid in jobs]
    if not listed:
        return Effects()
    async with context.database.system() as tx:
        gone, waited = await tasks.set_jobs(tx, listed, claimed_at or context.now())
    return Effects(waited, calm=waited, cancelled=tuple(_ref(key) for key in gone))


async def stopping_jobs(context: Context) -> tuple[TaskRef, ...]:
    """The open attempts of Jobs that are asked to end, in all workspaces."""
    async with context.database.system() as tx:
        return tuple(_ref(key) for key in await tasks.stopping_jobs(tx))


async def mark_running(
    context: Context, ref: TaskRef, started_at: datetime, footprint: Footprint | None = None
) -> Effects:
    """Record that an attempt runs; nothing changes when that is known, or the attempt is not open."""
    key = run_key(ref.workspace_id, ref.run_id)
    if key is None:
        return Effects()
    async with context.database.tenant(ref.workspace_id) as tx:
        rate = context.rate(footprint)
        news = await tasks.mark_running(tx, _key(ref), key.started_at, started_at, rate, footprint)
    changed = frozenset([ref.run_id] if news else [])
    return Effects(changed, calm=changed)


async def record_waiting(context: Context, ref: TaskRef, waiting: Waiting | None) -> Effects:
    """Record what an open attempt waits for, or that it does not wait; nothing is written when that is known."""
    reason = clip(waiting.reason, REASON_BYTES) if waiting else None
    message = clip(waiting.message) if waiting else None
    async with context.database.tenant(ref.workspace_id) as tx:
        until = waiting.until if waiting else None
        news = await tasks.set_waiting(tx, _key(ref), reason, message, until, context.now())
    changed = frozenset([ref.run_id] if news else [])
    return Effects(changed, calm=changed if waiting is None or waiting.reason in ROOM else frozenset())


def _readable(found: Iterable[QueuedTask]) -> tuple[JobTask, ...]:
    """Those that this release understands; one that it does not must not hold up all others."""
    readable: list[JobTask] = []
    for task in found:
        try:
            does = _does(task.work)
        except ValidationError as error:
            # Without its values, which are the tenant's.
            fields = [".".join(str(part) for part in problem["loc"]) for problem in error.errors()]
            _log.error("task_unreadable", run_id=str(task.key.run_id), node=task.key.node, fields=fields)
            continue
        readable.append(
            JobTask(
                ref=_ref(task.key),
                workspace=task.workspace,
                namespace=task.namespace,
                workflow=task.workflow,
                does=does,
                timeout_seconds=task.timeout_seconds,
                job_uid=task.job_uid,
                stopping=task.stopping,
                mode=task.work.get("mode"),
            )
        )
    return tuple(readable)


def _does(work: Mapping[str, Any]) -> Container | Script:
    if "script" in work:
        return Script.model_validate(work["script"])
    return Container.model_validate(work.get("container"))


def _key(ref: TaskRef) -> TaskKey:
    return TaskKey(ref.workspace_id, ref.run_id, ref.node, ref.attempt)


def _ref(key: TaskKey) -> TaskRef:
    return TaskRef(key.workspace_id, key.run_id, key.node, key.attempt)
