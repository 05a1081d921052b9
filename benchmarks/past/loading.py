"""Puts the year into a database, month by month. What was interrupted goes on with the month that is missing."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql

from benchmarks.engine import UNLIMITED, NoExpressions
from benchmarks.past.year import COLUMNS, NODES, SEED, Month, Tenant, lines, months
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.api.workflow import WorkflowSpec
from headgate.engine.engine import Engine
from headgate.engine.types import WorkspaceRecord
from headgate.store import migrate
from headgate.store.database import Database

WORKFLOWS = 5
"""Of a workspace."""
DAYS = 100
"""Of which there are days of analytics."""
_PARTITIONED = (*COLUMNS, "run_documents")
_MARKS = "CREATE SCHEMA IF NOT EXISTS bench; CREATE TABLE IF NOT EXISTS bench.done (what text PRIMARY KEY)"
_PART = """
    CREATE TABLE headgate.{partition}
        (LIKE headgate.{parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
    ALTER TABLE headgate.{partition} OWNER TO headgate_owner;
    ALTER TABLE headgate.{partition} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY
"""
_DOCUMENTS = """
    INSERT INTO headgate.{documents} SELECT workspace_id, started_at, id,
        headgate.document(workspace_id, error_message)
    FROM headgate.{runs} WHERE error_message IS NOT NULL
"""
_COMPLETE = """
    INSERT INTO headgate.upkeep_days (workspace_id, day, labels_from, workflows_from)
    SELECT id, '-infinity', nobody, nobody
    FROM headgate.workspaces, CAST('00000000-0000-0000-0000-000000000000' AS uuid) nobody
    ON CONFLICT (workspace_id) DO UPDATE
    SET labels_from = excluded.labels_from, workflows_from = excluded.workflows_from
"""
_DAYS = """
    CREATE TEMPORARY TABLE ended ON COMMIT DROP AS
    SELECT e.workspace_id, s.scope AS workflow_id, CAST(e.finished_at AT TIME ZONE 'UTC' AS date) AS day, e.status,
        e.duration_ms
    FROM headgate.workflow_executions e
    CROSS JOIN LATERAL (VALUES (e.workflow_id), (CAST('00000000-0000-0000-0000-000000000000' AS uuid))) s (scope)
    WHERE e.started_at >= %(since)s
"""
_TOTALS = """
    INSERT INTO headgate.workspace_analytics_daily
    SELECT workspace_id, workflow_id, day, count(*), count(*) FILTER (WHERE status = 'Succeeded'),
        count(*) FILTER (WHERE status = 'Failed'), count(*) FILTER (WHERE status = 'Cancelled'), sum(duration_ms),
        count(*), 0, 2 * count(*), NULL
    FROM ended GROUP BY workspace_id, workflow_id, day
"""
_DURATIONS = """
    INSERT INTO headgate.run_durations_daily
    SELECT workspace_id, workflow_id, day,
        CAST(least(floor(8 * log(2, CAST(greatest(duration_ms, 1) AS numeric))), 255) AS smallint), count(*)
    FROM ended GROUP BY 1, 2, 3, 4
"""
_NODES = """
    INSERT INTO headgate.node_analytics_daily
    SELECT s.workspace_id, e.workflow_id, CAST(s.attempt_finished_at AT TIME ZONE 'UTC' AS date), s.node, count(*),
        count(*) FILTER (WHERE s.phase = 'Failed'),
        sum(floor(extract(epoch FROM s.attempt_finished_at - s.attempt_started_at) * 1000)),
        max(floor(extract(epoch FROM s.attempt_finished_at - s.attempt_started_at) * 1000)), NULL
    FROM headgate.workflow_execution_steps s
    JOIN headgate.workflow_executions e
        ON e.workspace_id = s.workspace_id AND e.started_at = s.started_at AND e.id = s.execution_id
    WHERE s.started_at >= %(since)s GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class Past:
    """What a database was filled with."""

    runs: int
    end: datetime
    tenants: tuple[Tenant, ...]

    def months(self) -> list[Month]:
        return months(self.end, self.runs)


def a_workflow(name: str) -> WorkflowSpec:
    """Two containers in a row, behind a manual trigger."""
    nodes: list[dict[str, object]] = [{"id": "by-hand", "type": "trigger", "config": {"manual": {}}}]
    for node in NODES:
        config = {"container": {"image": "busybox"}}
        nodes.append({"id": node, "type": "action", "dependsOn": [str(nodes[-1]["id"])], "config": config})
    return WorkflowSpec.model_validate({"displayName": f"Orders of {name}", "nodes": nodes})


async def _tenants(server: Server, workspaces: int) -> tuple[Tenant, ...]:
    database = Database(server.url(RUNTIME), pool_size=8)
    engine = Engine(
        database, NoExpressions(), clock=lambda: datetime.now(UTC), randomness=random.Random(SEED).randbytes
    )

    async def one(number: int) -> Tenant:
        name = f"w{number:04d}"
        workspace_id = await engine.workspaces.sync(WorkspaceRecord(name, UNLIMITED, suspended=False))
        found = [
            await engine.workflows.record(workspace_id, name, f"flow-{flow}", a_workflow(f"{name}-{flow}"))
            for flow in range(WORKFLOWS)
        ]
        return Tenant(workspace_id, tuple((version.workflow_id, version.version_id) for version in found))

    made = [await one(number) for number in range(workspaces)]
    await database.close()
    return tuple(made)


def past_of(server: Server, runs: int, workspaces: int) -> Past:
    """What the database is filled with, or will be: a file beside it remembers."""
    path = server.state / "past.json"
    if not path.exists():
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        tenants = asyncio.run(_tenants(server, workspaces))
        listed = [[str(tenant.id), [[str(one) for one in flow] for flow in tenant.workflows]] for tenant in tenants]
        path.write_text(json.dumps({"runs": runs, "end": datetime.now(UTC).isoformat(), "tenants": listed}))
    return read_past(path)


def read_past(path: Path) -> Past:
    """What the file remembers."""
    known = json.loads(path.read_text())
    tenants = tuple(
        Tenant(UUID(identifier), tuple((UUID(flow), UUID(version)) for flow, version in flows))
        for identifier, flows in known["tenants"]
    )
    return Past(known["runs"], datetime.fromisoformat(known["end"]), tenants)


def load(server: Server, past: Past) -> None:
    """Put there what is missing, and say how it goes."""
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        connection.execute(_MARKS)
        connection.execute("SET maintenance_work_mem = '512MB'; SET synchronous_commit = off")
        done = {row[0] for row in connection.execute("SELECT what FROM bench.done")}
        for number, month in enumerate(past.months(), 1):
            if month.name not in done:
                began = time.perf_counter()
                _month(server, connection, month, past.tenants)
                took = time.perf_counter() - began
                print(f"month {number} of 12, {month.runs:,} runs: {took:.0f} s", flush=True)
        if "days" not in done:
            began = time.perf_counter()
            _days(connection, past)
            print(f"days of analytics: {time.perf_counter() - began:.0f} s", flush=True)
        if "vacuum" not in done:
            began = time.perf_counter()
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
            connection.execute("INSERT INTO bench.done VALUES ('vacuum')")
            print(f"vacuum: {time.perf_counter() - began:.0f} s", flush=True)


def _month(server: Server, connection: psycopg.Connection, month: Month, tenants: tuple[Tenant, ...]) -> None:
    """Fill tables that nobody knows yet, and attach them: indexes are built at once, and triggers do not fire."""
    names = {table: f"{table}_{month.name}" for table in _PARTITIONED}
    for parent, partition in names.items():
        connection.execute(sql.SQL("DROP TABLE IF EXISTS headgate.{}").format(sql.Identifier(partition)))
        connection.execute(_PART.format(parent=parent, partition=partition).encode())
    with ExitStack() as open_copies:
        copies = {}
        for table, columns in COLUMNS.items():
            writer = open_copies.enter_context(psycopg.connect(server.url(SUPERUSER)))
            statement = f"COPY headgate.{names[table]} ({columns}) FROM STDIN"
            copies[table] = open_copies.enter_context(writer.cursor().copy(statement.encode()))
        for rows in lines(month, tenants):
            for table, some in rows.items():
                copies[table].write("".join(some))
    filled = {"documents": names["run_documents"], "runs": names["workflow_executions"]}
    connection.execute(_DOCUMENTS.format(**filled).encode())
    with connection.transaction():
        for parent, partition in names.items():
            connection.execute(
                sql.SQL("ALTER TABLE headgate.{} ATTACH PARTITION headgate.{} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(parent),
                    sql.Identifier(partition),
                    month.start.isoformat(),
                    month.following.isoformat(),
                )
            )
        connection.execute("INSERT INTO bench.done VALUES (%s)", [month.name])


def _days(connection: psycopg.Connection, past: Past) -> None:
    """Add up the last days as folding would have, and say that nothing lacks its rows of labels."""
    since = {"since": past.end - timedelta(days=DAYS)}
    with connection.transaction():
        connection.execute(_DAYS, since)
        for statement in (_TOTALS, _DURATIONS, _COMPLETE):
            connection.execute(statement)
        connection.execute(_NODES, since)
        connection.execute("INSERT INTO bench.done VALUES ('days')")
