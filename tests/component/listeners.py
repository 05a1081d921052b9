"""Workflows that start at the end of others, and what became of the ends."""

from __future__ import annotations

from typing import Any

from headgate.engine.types import RunFilter, RunSummary
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.world import World


def after(source: str, name: str = "report", **event: Any) -> WorkflowBuilder:
    """A workflow that starts at the end of another one."""
    trigger = {"event": {"workflow": source, **event}}
    return a_workflow(name).with_trigger("end", trigger).with_node("work", after=["end", "by-hand"])


async def runs_of(world: World, workflow: str) -> list[RunSummary]:
    filters = RunFilter(workflow=("acme", workflow))
    return list((await world.engine.list_runs(world.ids["acme"], filters)).runs)


async def endings(world: World) -> list[dict[str, Any]]:
    return await world.rows("SELECT * FROM headgate.run_endings")


async def errors(world: World, workflow: str = "report") -> dict[str, str]:
    return dict((await world.engine.workflows.schedules(world.ids["acme"], "acme", workflow)).errors)
