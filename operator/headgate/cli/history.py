"""Reading history for the command line."""

from __future__ import annotations

from uuid import UUID

from headgate.cli.reading import reading
from headgate.engine.types import RunFilter, RunSummary, RunView


async def read(
    url: str, workspace: str, run: UUID | None, limit: int, archive_store: str | None
) -> tuple[tuple[RunSummary, ...] | None, RunView | None]:
    """The newest runs of the workspace, or one run; no runs at all (None) where there is no such workspace.

    Raises ``NoArchive`` for a run that has moved there, where ``archive_store`` does not say where that is, and
    ``StoreUnavailable``.
    """
    async with reading(url, archive_store=archive_store) as engine:
        workspace_id = await engine.workspaces.id_of(workspace)
        if workspace_id is None:
            return None, None
        if run is not None:
            return (), await engine.run_view(workspace_id, run)
        return (await engine.list_runs(workspace_id, RunFilter(), limit=limit)).runs, None
