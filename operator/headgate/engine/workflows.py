"""Keeps the versions, the schedules, the event triggers and the webhooks of workflows."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.node import Schedule
from headgate.api.workflow import WorkflowSpec
from headgate.domain import triggers
from headgate.domain.schedule import next_tick
from headgate.engine.context import Context, utc
from headgate.engine.definitions.definition import check, content_of
from headgate.engine.types import DefinitionError, ScheduleView, VersionRecord
from headgate.store import events, schedules, webhooks, workflows
from headgate.store.database import Transaction
from headgate.store.workflows import KnownWorkflow

MOST_TRIGGERS = 10
"""Triggers of a workspace with the same webhook at most: a delivery is looked at by each, in one transaction."""


class Workflows:
    """The workflows. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def record(self, workspace_id: UUID, namespace: str, name: str, spec: WorkflowSpec) -> VersionRecord:
        """Make ``spec`` the version that new runs of the workflow start with, adding it when its content is new.

        Also sets whether the workflow is suspended, and its schedules: a new or changed one ticks first after now, an
        unchanged one keeps its next tick. Writes nothing when nothing changed. Raises ``DefinitionError``. Runs that
        wait for the workflow may start afterwards: ``start_pending`` starts them.
        """
        check(spec)
        if (problem := triggers.problem(name, spec)) is not None:
            raise DefinitionError(problem)
        content_hash, stored = content_of(spec)
        context = self._context
        async with context.database.tenant(workspace_id) as tx:
            known = await workflows.find(tx, workspace_id, namespace, name)
            if known is not None and _is_current(known, content_hash, spec):
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
            await _replace_triggers(tx, workspace_id, workflow_id, namespace, spec, now)
        await context.changed(workspace_id)
        return VersionRecord(workflow_id, version.id, version.number, content_hash)

    async def retire(self, workspace_id: UUID, namespace: str, name: str) -> None:
        """End a workflow that was deleted: no run of it starts any more. Runs under way go on, and history stays."""
        async with self._context.database.tenant(workspace_id) as tx:
            known = await workflows.find(tx, workspace_id, namespace, name)
            if known is None:
                return
            await workflows.retire(tx, workspace_id, known.id, self._context.now())
        await self._context.changed(workspace_id)

    async def schedules(self, workspace_id: UUID, namespace: str, name: str) -> ScheduleView:
        """When the workflow's schedules ticked last and tick next, and which of them made no run."""
        async with self._context.database.tenant(workspace_id) as tx:
            ticks = await schedules.ticks(tx, workspace_id, namespace, name)
        return ScheduleView(utc(ticks.last_tick), utc(ticks.next_tick), ticks.errors)


async def _replace_triggers(
    tx: Transaction, workspace_id: UUID, workflow_id: UUID, namespace: str, spec: WorkflowSpec, now: datetime
) -> None:
    """Make the triggers of ``spec`` those of the workflow. Raises ``DefinitionError``."""
    first_ticks = {node: (_stored(schedule), next_tick(schedule, now)) for node, schedule in _schedules(spec).items()}
    await schedules.replace(tx, workspace_id, workflow_id, first_ticks)
    await events.replace(tx, workspace_id, workflow_id, namespace, _events(spec))
    if crowded := await webhooks.replace(tx, workspace_id, workflow_id, _webhooks(spec), most=MOST_TRIGGERS):
        raise DefinitionError(
            f"the webhook {crowded[0]} has {MOST_TRIGGERS} triggers already, which is the limit: give the trigger "
            "another hook, or start this workflow at the end of one that has it"
        )


def _is_current(known: KnownWorkflow, content_hash: str, spec: WorkflowSpec) -> bool:
    return (
        known.content_hash == content_hash
        and known.suspended == spec.suspend
        and known.schedules == {node: _stored(schedule) for node, schedule in _schedules(spec).items()}
    )


def _schedules(spec: WorkflowSpec) -> dict[str, Schedule]:
    return {node.id: node.config.schedule for node in spec.nodes if node.config.schedule is not None}


def _events(spec: WorkflowSpec) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = ((node.id, node.config.event) for node in spec.nodes)
    return {node: (event.workflow, tuple(event.phases)) for node, event in found if event is not None}


def _webhooks(spec: WorkflowSpec) -> dict[str, dict[str, Any]]:
    found = ((node.id, node.config.webhook) for node in spec.nodes)
    return {node: webhook.to_wire() for node, webhook in found if webhook is not None}


def _stored(schedule: Schedule) -> dict[str, object]:
    return schedule.to_wire()
