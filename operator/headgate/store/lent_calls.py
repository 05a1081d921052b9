"""Calls that Postgres lent, in Redis, where all replicas of the gateway may spend them.

Redis holds nothing but what was taken in Postgres before, and forgets it when it is another server than the one that
was given it: one that started anew, perhaps with an old copy of its data, or a copy that took its place. What is
forgotten so cannot be spent. Windows end by Redis' own clock, which is told how long they last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

from headgate.store.rate_limits import Counter
from headgate.store.redis import Dependency

_SCRIPTS = files("headgate.store").joinpath("scripts")
_NO_END = -1


@dataclass(frozen=True)
class Spent:
    """What Redis gave of a counter."""

    counter: Counter
    calls: int
    left: int
    """Calls of it that are still there."""
    beyond: int
    """Calls that Postgres had left when it lent last."""
    limit: int
    ends_in: timedelta


@dataclass(frozen=True)
class Handed:
    """What Redis gave, by subject; what it has nothing of is not there."""

    by_subject: Mapping[str, Spent]
    lacking: bool
    """Whether it had less than was wanted."""
    coming: int
    """Loans that others are about to bring."""
    birth: str
    """Another one where Redis has forgotten what was there before."""


@dataclass(frozen=True)
class Deposit:
    """Calls for others to spend."""

    counter: Counter
    calls: int
    ends_in: timedelta | None = None
    """None for calls that came from there, and go back if their window is still the one that counts."""
    beyond: int = 0
    limit: int = 0


class LentCalls:
    """Calls in Redis. All methods raise ``RedisAway``: then nobody knows what was done."""

    def __init__(self, redis: Dependency) -> None:
        self._redis = redis
        self._server = ""
        self._changes = 0
        self._take = redis.client.register_script(_SCRIPTS.joinpath("take_calls.lua").read_text("utf-8"))
        self._give = redis.client.register_script(_SCRIPTS.joinpath("give_calls.lua").read_text("utf-8"))

    @property
    def epoch(self) -> int:
        """Another one whenever everything may have been forgotten."""
        return self._redis.failures + self._changes

    @property
    def there(self) -> bool:
        """Whether Redis answered last."""
        return self._redis.there

    async def look(self) -> None:
        """Find out whether something was forgotten: ``epoch`` says it."""
        await self._ask(self._take, UUID(int=0), [0])

    async def take(self, workspace_id: UUID, wanted: Mapping[str, int]) -> Handed:
        """Take calls, of callers and of the workspace (``ALL``), each as many as there are, at most what is wanted.

        Where they are too few, the caller of this gives afterwards, be it nothing, and others know that it will.
        """
        arguments = [1, *(item for pair in wanted.items() for item in pair)]
        birth, coming, *found = await self._ask(self._take, workspace_id, arguments)
        spent = {str(item[0]): _spent(item) for item in found}
        lacking = any(_calls(spent, name) < calls for name, calls in wanted.items())
        return Handed(spent, lacking, coming, birth)

    async def give(self, workspace_id: UUID, deposits: Sequence[Deposit], *, lacking: bool) -> str:
        """Give calls that were lent, or that were taken and not needed. ``lacking`` is what ``take`` said.

        Returns the ``birth`` of what is there now.
        """
        parts = (part for deposit in deposits for part in _arguments(deposit))
        [birth] = await self._ask(self._give, workspace_id, [int(lacking), *parts])
        return str(birth)

    async def _ask(self, script: Any, workspace_id: UUID, arguments: list[Any]) -> list[Any]:
        key = f"headgate:calls:{workspace_id}"
        server: str
        answer: list[Any]
        server, *answer = await self._redis.ask(lambda: script(keys=[key], args=arguments))
        if server != self._server:
            # Not the first one: nothing was given to another before.
            self._changes += self._server != ""
            self._server = server
        return answer


def _calls(spent: Mapping[str, Spent], subject: str) -> int:
    return spent[subject].calls if subject in spent else 0


def _spent(item: Sequence[Any]) -> Spent:
    subject, began, generation, calls, left, ends_in, beyond, limit = item
    counter = Counter(subject, datetime.fromtimestamp(int(began), UTC), int(generation))
    return Spent(counter, int(calls), int(left), int(beyond), int(limit), timedelta(milliseconds=int(ends_in)))


def _arguments(deposit: Deposit) -> tuple[Any, ...]:
    counter, ends_in = deposit.counter, deposit.ends_in
    lasts = _NO_END if ends_in is None else max(1, ends_in // timedelta(milliseconds=1))
    began = int(counter.began.timestamp())
    return counter.subject, began, counter.generation, deposit.calls, lasts, deposit.beyond, deposit.limit
