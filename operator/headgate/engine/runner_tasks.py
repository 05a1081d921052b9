"""Hands attempts to runners, one at a time and for the length of a lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from headgate.api.container import SecretKeyRef
from headgate.api.node import Node
from headgate.domain.runner_task import KINDS, OpenRunnerTask, RunnerTask, secrets_of_all
from headgate.engine.context import Context, run_key
from headgate.engine.definition import UnreadableVersion
from headgate.engine.types import Effects, LeaseLost, TaskRef
from headgate.store import runner_tasks, runs, tasks
from headgate.store.tasks import TaskKey


async def claim(
    context: Context, workspace_id: UUID, namespace: str, run_id: UUID | None, holder: str, lease: timedelta
) -> tuple[RunnerTask | None, Effects]:
    """Lease the next task, and record that its node runs. See ``Engine.claim_runner``."""
    now = context.now()
    async with context.database.tenant(workspace_id) as tx:
        task = await runner_tasks.claim(
            tx, workspace_id, namespace, run_id, holder=holder, now=now, lease_until=now + lease
        )
        if task is None:
            return None, Effects()
        key = run_key(workspace_id, task.ref.run_id)
        if key is not None:
            await tasks.mark_running(tx, _key(task.ref), key.started_at, now)
    return task, Effects(frozenset([task.ref.run_id]))


async def heartbeat(context: Context, ref: TaskRef, holder: str, lease: timedelta) -> bool:
    """Make the lease longer. See ``Engine.heartbeat_runner``."""
    now = context.now()
    async with context.database.tenant(ref.workspace_id) as tx:
        stopping = await runner_tasks.extend(tx, _key(ref), holder, now, now + lease)
    if stopping is None:
        raise LeaseLost(ref)
    return stopping


async def release(context: Context, workspace_id: UUID, run_id: UUID, holders: str) -> int:
    """Make claimable what lost runners held. See ``Engine.release_runner``."""
    async with context.database.tenant(workspace_id) as tx:
        return await runner_tasks.release(tx, workspace_id, run_id, holders, context.now())


async def open_tasks(context: Context) -> tuple[OpenRunnerTask, ...]:
    """Every attempt for a runner that has not ended, in all workspaces."""
    async with context.database.system() as tx:
        return tuple(await runner_tasks.open_tasks(tx))


async def secrets(context: Context, workspace_id: UUID, run_id: UUID) -> tuple[SecretKeyRef, ...]:
    """What the nodes of the run's version name. See ``Engine.runner_secrets``."""
    return secrets_of_all(node.config for node in await _nodes(context, workspace_id, run_id))


async def nodes(context: Context, workspace_id: UUID, run_id: UUID) -> frozenset[str]:
    """Those that runners execute. See ``Engine.runner_nodes``."""
    found = await _nodes(context, workspace_id, run_id)
    return frozenset(node.id for node in found if any(getattr(node.config, kind) is not None for kind in KINDS))


async def _nodes(context: Context, workspace_id: UUID, run_id: UUID) -> Sequence[Node]:
    key = run_key(workspace_id, run_id)
    if key is None:
        return ()
    async with context.database.tenant(workspace_id) as tx:
        run = await runs.load(tx, key)
        if run is None:
            return ()
        try:
            definition = await context.definitions.get(tx, workspace_id, run.version_id)
        except UnreadableVersion:
            return ()
    return definition.graph.nodes


def _key(ref: TaskRef) -> TaskKey:
    return TaskKey(ref.workspace_id, ref.run_id, ref.node, ref.attempt)
