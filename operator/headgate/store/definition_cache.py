"""Definitions of workflows, in Redis for some minutes, until they change."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from uuid import UUID

from redis.asyncio.client import PubSub
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from headgate.cancellation import heed
from headgate.store.redis import Dependency, RedisAway

_SILENCE_SECONDS = 1.0
"""How long nothing is heard before Redis is asked whether it is there, and given up where it does not say."""
SECONDS = 300
"""How long a definition is kept at most."""
_CHANNEL = "headgate:definitions:changed"
_ALL = "headgate:definitions"
EVERY_WORKSPACE = UUID(int=0)
"""Stands for all of them where changes are told."""
_SCRIPTS = files("headgate.store").joinpath("scripts")


@dataclass(frozen=True)
class Found:
    """What Redis has of a definition."""

    text: str | None
    """None where it has nothing."""
    state: str
    """Of the workspace's definitions. What was read from Postgres since is put under it: nobody looks there any more
    once something has changed.
    """


class DefinitionCache:
    """Texts by workspace and name. All methods raise ``RedisAway``."""

    def __init__(self, redis: Dependency) -> None:
        self._redis = redis
        self._get = _script(redis, "get_definition.lua")
        self._forget = _script(redis, "forget_definitions.lua")
        self._forget_all = _script(redis, "forget_all_definitions.lua")

    async def get(self, workspace_id: UUID, name: str) -> Found:
        """The text of that name."""
        keys, arguments = [_key(workspace_id), _ALL], [name, secrets.token_hex(8)]
        state, text = await self._redis.ask(lambda: self._get(keys=keys, args=arguments))
        return Found(text, str(state))

    async def put(self, workspace_id: UUID, name: str, text: str, state: str) -> None:
        """Keep a text that was read after ``get`` gave that state."""
        key = f"{_key(workspace_id)}:{state}:{name}"
        await self._redis.ask(lambda: self._redis.client.set(key, text, ex=SECONDS))

    async def forget(self, workspace_id: UUID) -> None:
        """Something was changed: have nobody read what was kept of the workspace before, and tell all who listen."""
        arguments = [_CHANNEL, str(workspace_id)]
        await self._redis.ask(lambda: self._forget(keys=[_key(workspace_id)], args=arguments))

    async def forget_all(self) -> None:
        """``forget`` for every workspace."""
        arguments = [_CHANNEL, str(EVERY_WORKSPACE), secrets.token_hex(8)]
        await self._redis.ask(lambda: self._forget_all(keys=[_ALL], args=arguments))

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[UUID]]:
        """Workspaces of which something is forgotten from now on, or ``EVERY_WORKSPACE``.

        Raises ``RedisAway`` where some may be missed.
        """
        listening = self._redis.client.pubsub(ignore_subscribe_messages=True)
        try:
            await self._redis.ask(lambda: listening.subscribe(_CHANNEL))
            yield self._told(listening)
        finally:
            await listening.aclose()  # type: ignore[no-untyped-call]

    async def _told(self, listening: PubSub) -> AsyncIterator[UUID]:
        asked = False
        try:
            while True:
                heed()
                message = await listening.get_message(timeout=_SILENCE_SECONDS)
                if message is not None and message["type"] == "message":
                    yield UUID(message["data"])
                elif message is None:
                    if asked:
                        raise RedisAway("Redis is silent where changes are told")
                    await listening.ping()
                asked = message is None
        except (RedisError, OSError, TimeoutError) as error:
            raise RedisAway(f"Redis did not answer ({type(error).__name__})") from None


def _key(workspace_id: UUID) -> str:
    return f"{_ALL}:{workspace_id}"


def _script(redis: Dependency, name: str) -> AsyncScript:
    return redis.client.register_script(_SCRIPTS.joinpath(name).read_text("utf-8"))
