"""Keeps the versions, the schedules, the event triggers and the webhooks of workflows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from headgate.api.node import Schedule
from headgate.api.workflow import WorkflowSpec
from headgate.domain import triggers
from headgate.domain.schedule import next_tick
from headgate.engine.context import Context
from headgate.engine.definitions.definition import check, content_of
from headgate.engine.types import DefinitionError, VersionRecord
from headgate.store import events, schedules, webhooks, workflows
from headgate.store.workflows import KnownWorkflow

MOST_TRIGGERS = 10
"""Triggers of a workspace with the same webhook at most: a delivery is looked at by each, in one transaction."""


async def record_version(
    context: Context, workspace_id: UUID, namespace: str, name: str, spec: WorkflowSpec
) -> VersionRecord:
    """Make ``spec`` the current version of the workflow. See ``Engine.record_version``."""
    check(spec)
    if (problem := triggers.problem(name, spec)) is not None:
        raise DefinitionError(problem)
    content_hash, stored = content_of(spec)
    wanted = {node.id: node.config.schedule for node in spec.nodes if node.config.schedule is not None}
    async with context.database.tenant(workspace_id) as tx:
        known = await workflows.find(tx, workspace_id, namespace, name)
        if known is not None and _is_current(known, content_hash, spec, wanted):
            return VersionRecord(known.id, known.version_id, known.number, content_hash)
        await workflows.lock_name(tx, workspace_id, namespace, name)
        known = await workflows.find(tx, workspace_id, namespace, name)
        now = context.now()
        version_id = context.new_id(now)
        if known is None:
            workflow_id = context.new_id(now)
            await workflows.add(tx, workspace_id, workflow_id, namespace, name, version_id, now)
        else:
            workflow_id = known.id
        version = await workflows.put_version(tx, workspace_id, workflow_id, version_id, content_hash, stored, now)
        await workflows.set_current(tx, workspace_id, workflow_id, version.id, suspended=spec.suspend)
        first_ticks = {node: (_stored(schedule), next_tick(schedule, now)) for node, schedule in wanted.items()}
        await schedules.replace(tx, workspace_id, workflow_id, first_ticks)
        await events.replace(tx, workspace_id, workflow_id, namespace, _events(spec))
        if crowded := await webhooks.replace(tx, workspace_id, workflow_id, _webhooks(spec), most=MOST_TRIGGERS):
            raise DefinitionError(
                f"the webhook {crowded[0]} has {MOST_TRIGGERS} triggers already, which is the limit: give the trigger "
                "another hook, or start this workflow at the end of one that has it"
            )
    await context.changed(workspace_id)
    return VersionRecord(workflow_id, version.id, version.number, content_hash)


async def retire_workflow(context: Context, workspace_id: UUID, namespace: str, name: str) -> None:
    """End a workflow that was deleted: no run of it starts any more. Runs under way go on, and history stays."""
    async with context.database.tenant(workspace_id) as tx:
        known = await workflows.find(tx, workspace_id, namespace, name)
        if known is None:
            return
        await workflows.retire(tx, workspace_id, known.id, context.now())
    await context.changed(workspace_id)


def _is_current(known: KnownWorkflow, content_hash: str, spec: WorkflowSpec, wanted: dict[str, Schedule]) -> bool:
    return (
        known.content_hash == content_hash
        and known.suspended == spec.suspend
        and known.schedules == {node: _stored(schedule) for node, schedule in wanted.items()}
    )


def _events(spec: WorkflowSpec) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = ((node.id, node.config.event) for node in spec.nodes)
    return {node: (event.workflow, tuple(event.phases)) for node, event in found if event is not None}


def _webhooks(spec: WorkflowSpec) -> dict[str, dict[str, Any]]:
    found = ((node.id, node.config.webhook) for node in spec.nodes)
    return {node: webhook.to_wire() for node, webhook in found if webhook is not None}


def _stored(schedule: Schedule) -> dict[str, object]:
    return schedule.to_wire()
