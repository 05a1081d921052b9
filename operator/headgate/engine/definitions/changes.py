"""Tells whoever reads definitions that some were changed."""

from __future__ import annotations

from uuid import UUID

from headgate.store.definition_cache import EVERY_WORKSPACE, DefinitionCache
from headgate.store.redis import RedisAway


class DefinitionChanges:
    """Has Redis forget what was changed. What it could not be told is told later; it keeps nothing for long anyway."""

    def __init__(self, cache: DefinitionCache) -> None:
        """From now on what was kept before does not count: who changed it last may have died before it told."""
        self._cache = cache
        self._untold = {EVERY_WORKSPACE}

    async def changed(self, workspace_id: UUID) -> None:
        """Something of the workspace was changed, and the transaction is over."""
        self._untold.add(workspace_id)
        await self.tell()

    async def tell(self) -> None:
        """Tell what was not told. Nothing happens while Redis is away."""
        try:
            while self._untold:
                workspace_id = next(iter(self._untold))
                if workspace_id == EVERY_WORKSPACE:
                    await self._cache.forget_all()
                else:
                    await self._cache.forget(workspace_id)
                self._untold.discard(workspace_id)
        except RedisAway:
            return
