"""Reads definitions where they are nearest: in this process, in Redis, or in Postgres, where they are made.

Only what people and programs look at is read here. What a run starts with is read in the transaction that admits it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from headgate.store.definition_cache import EVERY_WORKSPACE, SECONDS, DefinitionCache, Found
from headgate.store.redis import RedisAway

T = TypeVar("T")
_BYTES = 16_777_216
"""Remembered in this process at most."""
_LARGEST = 65_536
"""Larger ones are read in Postgres each time."""


class DefinitionReads:
    """Remembers what was read. Nothing is remembered here unless changes are heard of."""

    def __init__(self, cache: DefinitionCache, *, monotonic: Callable[[], float]) -> None:
        """``monotonic`` gives seconds."""
        self._cache = cache
        self._monotonic = monotonic
        self._texts: OrderedDict[tuple[UUID, str], tuple[float, str]] = OrderedDict()
        self._size = 0
        self._listening = False
        self._changes = 0
        self.read = 0
        """Reads in all."""
        self.asked = 0
        """Those for which Postgres was asked."""

    async def get(self, workspace_id: UUID, what: str, form: TypeAdapter[T], read: Callable[[], Awaitable[T]]) -> T:
        """What ``read`` gives, or gave since the workspace's definitions changed last. What is empty is not kept."""
        self.read += 1
        name = hashlib.blake2b(what.encode(), digest_size=16).hexdigest()
        if (text := self._recall(workspace_id, name)) is not None:
            return form.validate_json(text)
        changes = self._changes
        found = await self._find(workspace_id, name)
        if found is not None and found.text is not None:
            self._remember(workspace_id, name, found.text, changes)
            return form.validate_json(found.text)
        self.asked += 1
        value = await read()
        if value and found is not None:
            await self._keep(workspace_id, name, form.dump_json(value).decode(), found, changes)
        return value

    @property
    def hears(self) -> bool:
        """Whether changes are heard of."""
        return self._listening

    async def listen(self) -> None:
        """Hear of changes for as long as Redis is there. Raises ``RedisAway`` when it is not."""
        try:
            async with self._cache.changes() as changes:
                self._forget_all()
                self._listening = True
                async for workspace_id in changes:
                    self._forget(workspace_id)
        finally:
            self._listening = False
            self._forget_all()

    async def _find(self, workspace_id: UUID, name: str) -> Found | None:
        try:
            return await self._cache.get(workspace_id, name)
        except RedisAway:
            return None

    async def _keep(self, workspace_id: UUID, name: str, text: str, found: Found, changes: int) -> None:
        if len(text) > _LARGEST:
            return
        try:
            await self._cache.put(workspace_id, name, text, found.state)
        except RedisAway:
            return
        self._remember(workspace_id, name, text, changes)

    def _recall(self, workspace_id: UUID, name: str) -> str | None:
        until, text = self._texts.get((workspace_id, name), (0.0, None))
        return text if self._monotonic() < until else None

    def _remember(self, workspace_id: UUID, name: str, text: str, changes: int) -> None:
        # What was read before a change that was heard of meanwhile may be older than it.
        if not self._listening or changes != self._changes:
            return
        self._drop((workspace_id, name))
        self._texts[workspace_id, name] = (self._monotonic() + SECONDS, text)
        self._size += len(text)
        while self._size > _BYTES:
            self._drop(next(iter(self._texts)))

    def _forget(self, workspace_id: UUID) -> None:
        self._changes += 1
        for key in [key for key in self._texts if workspace_id in (key[0], EVERY_WORKSPACE)]:
            self._drop(key)

    def _drop(self, key: tuple[UUID, str]) -> None:
        if key in self._texts:
            self._size -= len(self._texts.pop(key)[1])

    def _forget_all(self) -> None:
        self._forget(EVERY_WORKSPACE)
