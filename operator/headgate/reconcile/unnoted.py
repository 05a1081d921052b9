"""Deleting files of scripts that came to lie in the object store, and that no run knows of."""

from __future__ import annotations

from datetime import datetime

import structlog

from headgate.engine.steps.left_files import LeftFiles
from headgate.objects.object_store import ObjectStore, StoreUnavailable
from headgate.reconcile.loops import forever

LOOK_SECONDS = 60.0
"""Between looks: what is due has counted for minutes, and counts no more once it is given up."""


class UnnotedArtifacts:
    """Costs one query a minute, and for each workspace with such files two transactions."""

    def __init__(self, files: LeftFiles, objects: ObjectStore) -> None:
        self._files = files
        self._objects = objects
        self._log = structlog.get_logger("headgate.artifacts")

    async def run(self) -> None:
        """Look for ever."""
        await forever("artifacts", self.once, net_seconds=LOOK_SECONDS)

    async def once(self) -> datetime | None:
        """Delete what is due. What cannot be deleted now is due again in a while."""
        for workspace_id in await self._files.owners_of_unnoted():
            paths = await self._files.give_up(workspace_id)
            try:
                for path in paths:
                    await self._objects.delete(path)
                    await self._files.deleted(workspace_id, [path])
            except StoreUnavailable as error:
                self._log.warning("will try again", workspace_id=str(workspace_id), error=str(error))
                continue
            if paths:
                self._log.info("files that no run has are deleted", workspace_id=str(workspace_id), files=len(paths))
        return None
