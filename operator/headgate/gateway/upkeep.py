"""What a gateway does beside answering, each for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.engine import Engine
from headgate.gateway.refusals import FLUSH_SECONDS, Refusals
from headgate.probes import Health
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable, StatementRefused
from headgate.store.redis import RedisAway
from headgate.store.standby import Standby

_LOOK_SECONDS = 2.0
_RECKON_SECONDS = 0.5


async def readiness(health: Health, engine: Engine) -> None:
    """Be ready once Postgres has answered, and from then on.

    Without it no replica can do anything, and one that is ready can say so, and when to come again. A Service without
    any would answer nobody, for longer than Postgres is away. Asking goes on, so that somebody notices when it is back.
    """
    while True:
        with suppress(DatabaseUnavailable, DatabaseNotMigrated):
            await engine.ping()
            health.ready = True
        await asyncio.sleep(_LOOK_SECONDS)


async def definitions(reads: DefinitionReads) -> None:
    """Hear of changed definitions whenever Redis is there."""
    while True:
        with suppress(RedisAway):
            await reads.listen()
        await asyncio.sleep(_RECKON_SECONDS)


async def loans(limits: CallLimits) -> None:
    """Notice that Redis is gone though nobody calls."""
    while True:
        await asyncio.sleep(_RECKON_SECONDS)
        with suppress(DatabaseUnavailable, StatementRefused):
            await limits.look()


async def standby(watched: Standby) -> None:
    """See how far the replica of Postgres is behind."""
    while True:
        with suppress(DatabaseUnavailable, StatementRefused):
            await watched.look()
        await asyncio.sleep(watched.between_looks)


async def refusals(counted: Refusals) -> None:
    """Write what webhooks refused."""
    log = structlog.get_logger("headgate.webhooks")
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        try:
            await counted.flush()
        except Exception:
            log.exception("refusals_not_counted")
