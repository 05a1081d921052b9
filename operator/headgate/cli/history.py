"""Reading history for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from headgate.cli.reading import reading
from headgate.domain.spread import index_of, node_of
from headgate.engine.types import NodeView, RunFilter, RunPage, RunSummary, RunView
from headgate.gateway.models.runs import list_of, run_of


async def read(
    url: str, workspace: str, run: UUID | None, limit: int, archive_store: str | None
) -> tuple[tuple[RunSummary, ...] | None, RunView | None]:
    """The newest runs of the workspace, or one run with all attempts; no runs at all (None) where it is not there.

    Raises ``NoArchive`` for a run that has moved there, where ``archive_store`` does not say where that is, and
    ``StoreUnavailable``.
    """
    async with reading(url, archive_store=archive_store) as engine:
        workspace_id = await engine.workspaces.id_of(workspace)
        if workspace_id is None:
            return None, None
        if run is not None:
            view = await engine.run_view(workspace_id, run)
            if view is None:
                return (), None
            return (), replace(view, nodes=in_order(view.nodes, await engine.run_attempts(workspace_id, run)))
        return (await engine.list_runs(workspace_id, RunFilter(), limit=limit)).runs, None


def as_json(found: RunView | tuple[RunSummary, ...]) -> str:
    """What was found, in the API's words for it; the nodes of a run are all attempts."""
    shown = run_of(found) if isinstance(found, RunView) else list_of(RunPage(found, None))
    return shown.model_dump_json(by_alias=True, indent=2)


def in_order(nodes: Sequence[NodeView], attempts: Sequence[NodeView]) -> tuple[NodeView, ...]:
    """The attempts in the order of the nodes, and as it is a node of which none was made."""
    made: dict[str, list[NodeView]] = {}
    for attempt in attempts:
        made.setdefault(node_of(attempt.id), []).append(attempt)
    own = [node for node in nodes if index_of(node.id) is None]
    return tuple(attempt for node in own for attempt in made.get(node.id, [node]))
