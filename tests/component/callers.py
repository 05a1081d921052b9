"""Runs that nodes of other runs called."""

from __future__ import annotations

from uuid import UUID

from headgate.api.workflow_run import NodePhase
from headgate.engine.types import RunFilter, RunSummary
from tests.component.world import World, chain


async def children(world: World, workflow: str = "nightly") -> list[RunSummary]:
    """The runs of a workflow, the oldest first."""
    page = await world.engine.list_runs(world.ids["acme"], RunFilter(workflow=("acme", workflow)))
    return list(reversed(page.runs))


async def called(world: World, workflow: str = "nightly") -> UUID:
    """Let what is due be called; the only run of the workflow."""
    await chain(world)
    [child] = await children(world, workflow)
    return child.run_id


async def node(world: World, run: UUID) -> tuple[NodePhase, str, str]:
    [view] = (await world.view(run)).nodes
    return view.phase, view.reason, view.message
