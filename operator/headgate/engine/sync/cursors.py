"""The cursors of copies: of one attempt at a time, and moved by nobody who lost it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from headgate.api.node import NodeConfig
from headgate.api.scalars import SUBDOMAIN_PATTERN
from headgate.domain.audit import Action, Actor
from headgate.domain.runner_task import KINDS
from headgate.domain.sync import CursorName, Reached, digest
from headgate.engine.acts import done
from headgate.engine.audit import record
from headgate.engine.context import Context, run_key
from headgate.engine.sync.types import CursorHeld, CursorPage, CursorView
from headgate.engine.types import LeaseLost, TaskRef
from headgate.store import credential_releases, sync_cursors
from headgate.store.tasks import TaskKey

PAGE_SIZE = 500
"""Cursors in a page of a list at most."""
_NAME = re.compile(SUBDOMAIN_PATTERN)
_STEP = re.compile(r"[a-z0-9_.-]{1,80}")
_FIRST = CursorName("", "", "")


class CursorRefused(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The attempt may not have the cursor; the message says why. Nothing was changed."""


class CursorBusy(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Another run's attempt copies for the same node right now, or the workflow is gone. Nothing was changed."""

    def __init__(self, ref: TaskRef) -> None:
        super().__init__(
            f"another run copies for node {ref.node} right now, or the workflow was deleted: let runs take turns, by "
            "spec.concurrency.limit of the workflow"
        )


class SyncCursors:
    """Cursors of workspaces. All methods raise ``DatabaseUnavailable`` when Postgres is not there."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def take(self, ref: TaskRef, holder: str) -> Reached:
        """How far the copy of the attempt's node has come. The attempt alone may move the cursor from then on.

        Raises ``LeaseLost`` where the attempt is not the holder's; ``CursorBusy``; ``CursorRefused`` where its node
        copies nothing.
        """
        key, now = run_key(ref.workspace_id, ref.run_id), self._context.now()
        if key is None:
            raise LeaseLost(ref)
        async with self._context.database.tenant(ref.workspace_id) as tx:
            work = await credential_releases.held(tx, _key(ref), holder, now)
            if work is None:
                raise LeaseLost(ref)
            reached = await sync_cursors.take(tx, key, ref.node, ref.attempt, _digest(ref, work), now)
        if reached is None:
            raise CursorBusy(ref)
        return reached

    async def move(self, ref: TaskRef, holder: str, reached: Reached, records: int) -> None:
        """Record how far the attempt has come. Raises ``LeaseLost`` where attempt or cursor are not the holder's."""
        key, now = run_key(ref.workspace_id, ref.run_id), self._context.now()
        if key is None:
            raise LeaseLost(ref)
        async with self._context.database.tenant(ref.workspace_id) as tx:
            if await credential_releases.held(tx, _key(ref), holder, now) is None or not await sync_cursors.move(
                tx, key, ref.node, ref.attempt, reached, records, now
            ):
                raise LeaseLost(ref)

    async def list(self, workspace_id: UUID, after: str | None = None, limit: int = 50) -> CursorPage:
        """Cursors of the workspace by namespace, workflow and node. ``limit`` is from 1 to ``PAGE_SIZE``.

        Raises ``ValueError`` for what no list gave as the next one's beginning, or another limit.
        """
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        first = _FIRST if after is None else _name(after)
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await sync_cursors.page(tx, workspace_id, first, self._context.now(), limit)
        found = tuple(map(_view, rows))
        return CursorPage(found, str(found[-1].name) if len(found) == limit else None)

    async def get(self, workspace_id: UUID, name: CursorName) -> CursorView | None:
        """How far the copy of a node has come; None where it has not begun, and where there is no such node."""
        async with self._context.database.tenant(workspace_id) as tx:
            row = await sync_cursors.one(tx, workspace_id, name, self._context.now())
        return None if row is None else _view(row)

    async def reset(self, workspace_id: UUID, name: CursorName, by: Actor | None = None) -> CursorView | None:
        """Forget how far a copy has come, so that the next one begins anew. The cursor as it was, or None.

        Raises ``CursorHeld`` while an attempt copies: what it writes belongs to where it stands. An attempt that lost
        its lease, and does not know, can move nothing any more.
        """
        now = self._context.now()
        async with self._context.database.tenant(workspace_id) as tx:
            # By a statement of its own: whether the attempt is under lease is to be seen as of after the lock.
            await sync_cursors.lock(tx, workspace_id, name)
            row = await sync_cursors.one(tx, workspace_id, name, now)
            if row is None:
                return None
            view = _view(row)
            if view.held:
                raise CursorHeld(view)
            await sync_cursors.forget(tx, workspace_id, row.workflow_id, name.node)
            act = done(by, Action.CURSOR_RESET, f"cursor/{name}", batches=view.batches, records=view.records)
            await record(tx, workspace_id, now, act)
        return view


def _key(ref: TaskRef) -> TaskKey:
    return TaskKey(ref.workspace_id, ref.run_id, ref.node, ref.attempt)


def _digest(ref: TaskRef, work: Mapping[str, Any]) -> str:
    try:
        config = NodeConfig.model_validate({kind: work[kind] for kind in KINDS if kind in work})
    except ValidationError:
        # Not with its words, which quote the config.
        raise CursorRefused(f"the config of node {ref.node} cannot be read by this release of Headgate") from None
    if config.connector is None or config.connector.sync is None:
        raise CursorRefused(f"node {ref.node} copies nothing")
    return digest(config.connector.sync)


def _name(text: str) -> CursorName:
    namespace, _, rest = text.partition("/")
    workflow, _, node = rest.partition("/")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(workflow) and _STEP.fullmatch(node)):
        raise ValueError("the cursor is not one that a list gave")
    return CursorName(namespace, workflow, node)


def _view(row: Any) -> CursorView:
    return CursorView(
        name=CursorName(row.namespace, row.workflow, row.node),
        reached=Reached(row.reached, row.pending),
        batches=row.batches,
        records=row.records,
        run_id=row.run_id,
        attempt=row.attempt,
        held=row.held,
        updated_at=row.updated_at.astimezone(UTC),
    )
