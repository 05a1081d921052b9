"""Redis, which may be away at any time: everything that is asked of it can be done without."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from headgate.dependencies import DependencyGuard, NotAsked

T = TypeVar("T")
_CONNECTIONS = 32
_SECONDS = 0.5
_FAILURES = (RedisError, OSError, TimeoutError)


class RedisAway(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Redis did not answer, or is not asked since it did not answer lately. What was asked may have been done."""


class Dependency:
    """Redis behind a circuit breaker. Nothing is asked twice: whoever asks knows what repeating means."""

    def __init__(self, url: str, guard: DependencyGuard) -> None:
        """``url`` is one of ``redis://``, ``rediss://`` or ``unix://``. Raises ``ValueError`` for another one."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_SECONDS,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
            # In the newer protocol redis-py swallows what answers a ping to who listens, where texts are decoded.
            protocol=2,
            decode_responses=True,
            client_name="headgate",
        )
        self.client = Redis.from_pool(pool)
        """Used within ``ask`` only."""
        self._guard = guard

    async def close(self) -> None:
        """Close every connection."""
        await self.client.aclose()

    @property
    def there(self) -> bool:
        """Whether it answered when it was asked last."""
        return self._guard.there

    @property
    def failures(self) -> int:
        """How often there was no answer."""
        return self._guard.failures

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer. Raises ``RedisAway``, whose message names neither host nor value."""
        try:
            with self._guard.asking(_unanswered):
                return await question()
        except NotAsked as error:
            raise RedisAway(str(error)) from error
        except _FAILURES as error:
            raise RedisAway(_unanswered(error)) from None


def _unanswered(error: Exception) -> str | None:
    return f"Redis did not answer ({type(error).__name__})" if isinstance(error, _FAILURES) else None
