"""The cursors of copies: of one attempt at a time, and moved by nobody who lost it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from headgate.api.node import NodeConfig
from headgate.domain.runner_task import KINDS
from headgate.domain.sync import Reached, digest
from headgate.engine.context import Context, run_key
from headgate.engine.types import LeaseLost, TaskRef
from headgate.store import credential_releases, sync_cursors
from headgate.store.tasks import TaskKey


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
