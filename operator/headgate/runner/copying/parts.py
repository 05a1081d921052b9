"""A copy put together: its source and its target, open as long as it takes."""

from __future__ import annotations

import math
from contextlib import AsyncExitStack
from typing import Any

import psycopg

from headgate.api.hidden_value import HiddenValue
from headgate.api.sync import Sync, SyncSource, SyncTarget
from headgate.runner import sql
from headgate.runner.connectors import kafka, s3
from headgate.runner.connectors.guarded_loop import elsewhere
from headgate.runner.connectors.postgres import pinned
from headgate.runner.connectors.reach import Reach
from headgate.runner.copying.batches import Source, Target
from headgate.runner.copying.copy import Cursor, copy
from headgate.runner.copying.from_http import HttpItems
from headgate.runner.copying.from_kafka import KafkaRecords
from headgate.runner.copying.from_postgres import PostgresRows
from headgate.runner.copying.to_postgres import PostgresTable
from headgate.runner.copying.to_s3 import JsonLines
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Redactor, Secrets

_ANSWER_BYTES = 1 << 40
"""Writing asks for little, however often it is done."""
_FORMS = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'hex'"


async def execute(
    node: Sync, secrets: Secrets, reach: Reach, cursor: Cursor, redactor: Redactor, timeout_seconds: float
) -> dict[str, Any]:
    """The output of the node, ``{batches, records, more}``. Raises ``NodeFailed``."""
    async with AsyncExitStack() as stack:
        opening = _Opening(stack, secrets, reach, timeout_seconds)
        source = await opening.source(node.source)
        target = await opening.target(node.target)
        return await copy(source, target, cursor, redactor, batch=node.batch, max_batches=node.max_batches)


class _Opening:
    def __init__(self, stack: AsyncExitStack, secrets: Secrets, reach: Reach, timeout_seconds: float) -> None:
        self._stack = stack
        self._secrets = secrets
        self._reach = reach
        self._timeout_seconds = timeout_seconds

    async def source(self, node: SyncSource) -> Source:
        if node.postgres is not None:
            connection = await self._connection(node.postgres.connection, read_only=True)
            return PostgresRows(node.postgres, connection)
        if node.http is not None:
            return HttpItems(node.http, self._secrets, self._reach)
        if node.kafka is not None:
            access = kafka.access_of(node.kafka, self._secrets)
            there = await self._stack.enter_async_context(elsewhere(self._reach))
            consumer = await kafka.told(there, kafka.consumer(access, node.kafka.topic))
            self._stack.push_async_callback(lambda: there.end(consumer.stop()))
            return KafkaRecords(node.kafka, consumer, there)
        raise NodeFailed("InvalidTask", "this runner does not know the source")

    async def target(self, node: SyncTarget) -> Target:
        if node.postgres is not None:
            return PostgresTable(node.postgres, await self._connection(node.postgres.connection, read_only=False))
        if node.s3 is not None:
            objects = await self._stack.enter_async_context(
                s3.objects(node.s3, self._secrets, self._reach, _ANSWER_BYTES)
            )
            return JsonLines(objects, node.s3.prefix)
        raise NodeFailed("InvalidTask", "this runner does not know the target")

    async def _connection(self, hidden: HiddenValue, *, read_only: bool) -> psycopg.AsyncConnection[Any]:
        settings = await pinned(hidden, self._secrets, self._reach)
        connection = await sql.connect(settings, read_only=read_only)
        self._stack.push_async_callback(connection.close)
        milliseconds = str(max(1, math.ceil(self._timeout_seconds * 1000)))
        with sql.failing():
            await connection.execute(_FORMS)
            if read_only:
                await connection.execute("SET default_transaction_read_only = on")
            await connection.execute("SELECT set_config('statement_timeout', %s, false)", (milliseconds,))
        return connection
