"""Programs of revision 0005 that go on writing while a database is migrated, and a history for it to have."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg

from headgate.domain.ids import uuid7, uuid7_time
from tests.support.waiting import eventually

REVISION = "0005"
_WRITERS = 4
_FOR_EVER = "60s"
"""Who waits so long for a lock is held up for good; shorter waits are measured by `python -m benchmarks.migration`."""
_SPAN = 60 * 86_400_000
"""Milliseconds of the history."""
_MONTHS = 3
"""After its first one: sixty days are of four at most."""

_RUNS = """
    INSERT INTO headgate.workflow_executions (workspace_id, id, started_at, workflow_id, version_id, status,
        trigger_kind, trigger_key, trigger_node, inputs, finished_at, duration_ms)
    SELECT %(workspace)s, id, at, %(workspace)s, %(workspace)s, 'Succeeded', 'api', 'key-' || n, 'manual', '{}', at, 0
    FROM (
        SELECT n, CAST(lpad(to_hex(ms), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0') AS uuid) AS id,
            to_timestamp(ms / 1000.0) AS at
        FROM (SELECT n, %(first)s + (n - 1) * %(between)s::bigint AS ms FROM generate_series(1, %(runs)s) n) times
    ) made
"""
_STEPS = """
    INSERT INTO headgate.workflow_execution_steps (workspace_id, execution_id, started_at, node, attempt, phase, reason,
        message, attempt_started_at, attempt_finished_at)
    SELECT workspace_id, id, started_at, 'work', 1, 'Succeeded', '', '', started_at, started_at
    FROM headgate.workflow_executions
"""
_INDEXES = """
    SELECT CAST(CAST(indexrelid AS regclass) AS text), pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = 'headgate.workflow_executions'::regclass AND NOT indisprimary
"""
_START = (
    """
    INSERT INTO headgate.workflow_executions (workspace_id, id, started_at, workflow_id, version_id, status,
        trigger_kind, trigger_key, trigger_node, inputs)
    VALUES (%(workspace)s, %(run)s, %(at)s, %(workspace)s, %(workspace)s, 'Running', 'api', %(key)s, 'manual', '{}')
    """,
    """
    INSERT INTO headgate.workflow_execution_steps (workspace_id, execution_id, started_at, node, attempt, phase, reason,
        message)
    VALUES (%(workspace)s, %(run)s, %(at)s, 'work', 1, 'Queued', '', '')
    """,
    """
    INSERT INTO headgate.tasks (workspace_id, execution_id, node, attempt, namespace, workflow, work, timeout_seconds)
    VALUES (%(workspace)s, %(run)s, 'work', 1, 'acme', 'nightly', '{}', 60)
    """,
    "UPDATE headgate.workspace_usage SET running = running + 1 WHERE workspace_id = %(workspace)s",
)
_END = (
    """
    UPDATE headgate.workflow_execution_steps SET phase = 'Succeeded', attempt_started_at = %(at)s,
        attempt_finished_at = %(at)s
    WHERE workspace_id = %(workspace)s AND started_at = %(at)s AND execution_id = %(run)s AND node = 'work'
        AND attempt = 1
    """,
    "DELETE FROM headgate.tasks WHERE workspace_id = %(workspace)s AND execution_id = %(run)s",
    """
    UPDATE headgate.workflow_executions SET status = 'Succeeded', finished_at = %(at)s, duration_ms = 0
    WHERE workspace_id = %(workspace)s AND started_at = %(at)s AND id = %(run)s
    """,
    "UPDATE headgate.workspace_usage SET running = running - 1 WHERE workspace_id = %(workspace)s",
)


@dataclass
class Written:
    """What the programs did."""

    workspace: UUID
    runs: list[UUID] = field(default_factory=list)
    """Those that they were told are kept."""
    failures: list[str] = field(default_factory=list)
    longest: float = 0.0
    """Seconds that one transaction took."""

    async def more(self, count: int = 20) -> None:
        """Wait until so many more runs are kept."""
        wanted = len(self.runs) + count

        async def there() -> bool:
            return len(self.runs) >= wanted

        await eventually(there, every=0.01, what="more runs")


def given_history(url: str, runs: int) -> UUID:
    """A workspace with so many runs of one step, over sixty days, the oldest first. ``url`` is a superuser's."""
    workspace = uuid4()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            "INSERT INTO headgate.workspaces VALUES (%s, 'acme', false, now())",
            "INSERT INTO headgate.workspace_usage VALUES (%s, 0, 0, current_date, 0)",
        ):
            connection.execute(statement.encode(), [workspace])
        first = int(time.time() * 1000) - _SPAN
        connection.execute("SELECT headgate.ensure_partitions(to_timestamp(%s / 1000.0), %s)", [first, _MONTHS])
        given = {"workspace": workspace, "runs": runs, "first": first, "between": _SPAN // runs}
        # They end here without anybody who waits for it: no trigger has anything to note.
        connection.execute("SET session_replication_role = replica")
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        for statement in (_RUNS, _STEPS):
            connection.execute(statement.encode(), given)
        for _, definition in indexes:
            connection.execute(definition.encode())
    return workspace


@asynccontextmanager
async def writers(url: str, workspace: UUID) -> AsyncIterator[Written]:
    """Programs that start runs and end them; ``url`` is the runtime login's."""
    written, over = Written(workspace), asyncio.Event()
    programs = [asyncio.create_task(_write(url, written, over)) for _ in range(_WRITERS)]
    try:
        await written.more()
        yield written
    finally:
        over.set()
        await asyncio.gather(*programs)


async def _write(url: str, written: Written, over: asyncio.Event) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET ROLE headgate_app")
        await connection.execute(f"SET lock_timeout = '{_FOR_EVER}'".encode())
        await connection.execute("SELECT set_config('app.workspace_id', %s, false)", [str(written.workspace)])
        while not over.is_set():
            run = uuid7(datetime.now(UTC), secrets.token_bytes(10))
            values = {"workspace": written.workspace, "run": run, "at": uuid7_time(run), "key": str(run)}
            try:
                for statements in (_START, _END):
                    begun = time.perf_counter()
                    async with connection.transaction():
                        for statement in statements:
                            await connection.execute(statement.encode(), values)
                    written.longest = max(written.longest, time.perf_counter() - begun)
            except psycopg.Error as error:
                written.failures.append(f"{type(error).__name__}: {error.diag.message_primary}")
            else:
                written.runs.append(run)


def kept(url: str, written: Written) -> int:
    """How many of the runs are there that were told to be kept, their steps ended. ``url`` is a superuser's."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM headgate.workflow_executions e JOIN headgate.workflow_execution_steps s"
            " ON s.workspace_id = e.workspace_id AND s.started_at = e.started_at AND s.execution_id = e.id"
            " WHERE e.id = ANY (%s) AND e.status = 'Succeeded' AND s.phase = 'Succeeded'",
            [written.runs],
        ).fetchone()
    return int(found[0]) if found else 0
