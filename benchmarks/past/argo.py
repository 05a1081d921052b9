"""The same runs in tables that are laid out as Argo Workflows has its archive: one row with the whole run as JSON, and
a table of labels, of which the phase is one.

What a run is stored with is kept small, about 1 KB where the real thing has several: that is in Argo's favour.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from benchmarks.past.loading import Past
from hack.postgres import RUNTIME, SUPERUSER, Server
from headgate.store.database import Database

TIMEOUT_SECONDS = 20
"""How long a question may take. What takes longer counts as that long."""
_TABLES = """
    CREATE SCHEMA IF NOT EXISTS argo;
    CREATE TABLE IF NOT EXISTS argo.archived (
        clustername varchar(64) NOT NULL, uid varchar(128) NOT NULL, instanceid varchar(64) NOT NULL,
        name varchar(256) NOT NULL, phase varchar(25) NOT NULL, namespace varchar(256) NOT NULL,
        workflow jsonb NOT NULL, startedat timestamp NOT NULL, finishedat timestamp NOT NULL,
        creationtimestamp timestamp NOT NULL
    );
    CREATE TABLE IF NOT EXISTS argo.labels (
        clustername varchar(64) NOT NULL, uid varchar(128) NOT NULL, name varchar(317) NOT NULL,
        value varchar(63) NOT NULL
    );
    GRANT USAGE ON SCHEMA argo TO headgate_system;
    GRANT SELECT ON argo.archived, argo.labels TO headgate_system
"""
_RUNS = """
    INSERT INTO argo.archived
    SELECT 'default', CAST(e.id AS text), '', 'flow-' || left(CAST(e.workflow_id AS text), 8) || '-' || right(
        CAST(e.id AS text), 5), e.status, CAST(e.workspace_id AS text), jsonb_build_object(
            'metadata', jsonb_build_object('name', 'flow-' || right(CAST(e.id AS text), 5), 'namespace', e.workspace_id,
                'uid', e.id, 'labels', e.labels || jsonb_build_object('workflows.argoproj.io/phase', e.status)),
            'spec', jsonb_build_object('entrypoint', 'main', 'arguments', jsonb_build_object(), 'templates',
                jsonb_build_array(jsonb_build_object('name', 'main', 'dag', jsonb_build_object('tasks',
                    jsonb_build_array(jsonb_build_object('name', 'extract', 'template', 'work'),
                        jsonb_build_object('name', 'load', 'template', 'work', 'depends', 'extract')))),
                jsonb_build_object('name', 'work', 'container', jsonb_build_object('image', 'busybox')))),
            'status', jsonb_build_object('phase', e.status, 'startedAt', e.started_at, 'finishedAt', e.finished_at,
                'message', e.error_message, 'progress', '2/2', 'nodes', (
                    SELECT jsonb_object_agg(s.node, jsonb_build_object('id', s.node, 'phase', s.phase, 'startedAt',
                        s.attempt_started_at, 'finishedAt', s.attempt_finished_at, 'message', s.message))
                    FROM headgate.workflow_execution_steps s WHERE s.workspace_id = e.workspace_id
                        AND s.started_at = e.started_at AND s.execution_id = e.id))
        ), e.started_at, e.finished_at, e.started_at
    FROM headgate.workflow_executions e WHERE e.started_at >= %(start)s AND e.started_at < %(end)s
"""
_LABELS = """
    INSERT INTO argo.labels
    SELECT 'default', CAST(e.id AS text), l.key, l.value
    FROM headgate.workflow_executions e
    CROSS JOIN LATERAL jsonb_each_text(e.labels || jsonb_build_object('workflows.argoproj.io/phase', e.status)) l
    WHERE e.started_at >= %(start)s AND e.started_at < %(end)s
"""
_INDEXES = (
    "ALTER TABLE argo.archived ADD PRIMARY KEY (clustername, uid)",
    "CREATE INDEX i1 ON argo.archived (clustername, instanceid, namespace, startedat DESC)",
    "CREATE INDEX i2 ON argo.archived (clustername, instanceid, finishedat)",
    "CREATE INDEX i3 ON argo.archived (clustername, instanceid, name)",
    "CREATE INDEX i4 ON argo.archived (clustername, startedat)",
    "CREATE INDEX i5 ON argo.archived (creationtimestamp)",
    "ALTER TABLE argo.labels ADD PRIMARY KEY (clustername, uid, name)",
    "CREATE INDEX labels_i1 ON argo.labels (name, value)",
    "VACUUM ANALYZE argo.archived, argo.labels",
)
_LABEL = """
    AND EXISTS (SELECT FROM argo.labels l WHERE l.clustername = a.clustername AND l.uid = a.uid
        AND l.name = %(key_{place})s AND l.value = %(value_{place})s)
"""
_OF_NAMESPACE = "clustername = 'default' AND instanceid = '' AND namespace = %(namespace)s"
_PAGE = f"""
    WITH workflows AS (
        SELECT name, namespace, uid, phase, startedat, finishedat,
            coalesce(workflow -> 'metadata', '{{{{}}}}') AS metadata,
            coalesce(workflow -> 'status', '{{{{}}}}') AS status
        FROM argo.archived a WHERE {_OF_NAMESPACE} {{wanted}}
        ORDER BY startedat DESC LIMIT 50 OFFSET %(offset)s
    )
    SELECT name, namespace, uid, phase, startedat, finishedat, metadata ->> 'labels' AS labels,
        status ->> 'message' AS message
    FROM workflows
"""
_RUN = "SELECT workflow FROM argo.archived WHERE clustername = 'default' AND uid = %(uid)s"
_DAYS = f"""
    SELECT CAST(finishedat AS date) AS day, phase, count(*) AS runs, avg(finishedat - startedat) AS average,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY finishedat - startedat) AS p95
    FROM argo.archived WHERE {_OF_NAMESPACE} AND startedat >= %(since)s GROUP BY 1, 2
"""
_ERRORS = f"""
    SELECT uid, workflow -> 'status' ->> 'message' AS message FROM argo.archived
    WHERE {_OF_NAMESPACE} AND workflow -> 'status' ->> 'message' ILIKE %(words)s
    ORDER BY startedat DESC LIMIT 50
"""


def load(server: Server, past: Past) -> None:
    """Put there what is missing, made of what is in Headgate's tables, and say how it goes."""
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'; SET synchronous_commit = off")
        connection.execute(_TABLES)
        done = {row[0] for row in connection.execute("SELECT what FROM bench.done")}
        for number, month in enumerate(past.months(), 1):
            what = f"argo:{month.name}"
            if what not in done:
                began = time.perf_counter()
                with connection.transaction():
                    for statement in (_RUNS, _LABELS):
                        connection.execute(statement, {"start": month.start, "end": month.end})
                    connection.execute("INSERT INTO bench.done VALUES (%s)", [what])
                print(f"Argo's layout, month {number} of 12: {time.perf_counter() - began:.0f} s", flush=True)
        for statement in _INDEXES:
            if statement not in done:
                began = time.perf_counter()
                connection.execute(statement.encode())
                connection.execute("INSERT INTO bench.done VALUES (%s)", [statement])
                print(f"{statement}: {time.perf_counter() - began:.0f} s", flush=True)


class Archive:
    """Asks as Argo's server does: in its order, by its indexes, with an offset for later pages.

    It is asked by the same client as Headgate's tables, in as many messages: what differs is how tables are laid out.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        workspace: UUID,
        *,
        labels: tuple[tuple[str, str], ...] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        offset: int = 0,
    ) -> None:
        """The newest 50 runs of a workspace, its namespace."""
        given: dict[str, object] = {"namespace": str(workspace), "offset": offset}
        wanted = ""
        for place, (key, value) in enumerate(labels):
            wanted += _LABEL.format(place=place)
            given |= {f"key_{place}": key, f"value_{place}": value}
        for name, moment, comparison in (("since", since, ">="), ("until", until, "<")):
            if moment is not None:
                wanted += f" AND startedat {comparison} %({name})s"
                given[name] = moment.replace(tzinfo=None)
        await self._ask(_PAGE.format(wanted=wanted), given)

    async def run(self, run_id: UUID) -> None:
        """One run with its nodes."""
        await self._ask(_RUN, {"uid": str(run_id)})

    async def days(self, workspace: UUID, since: datetime) -> None:
        """How the runs of each day fared."""
        await self._ask(_DAYS, {"namespace": str(workspace), "since": since.replace(tzinfo=None)})

    async def errors(self, workspace: UUID, words: str) -> None:
        """The newest runs of a workspace whose message has the words."""
        await self._ask(_ERRORS, {"namespace": str(workspace), "words": f"%{words}%"})

    async def _ask(self, statement: str, given: dict[str, object]) -> None:
        async with self._database.system() as tx:
            await tx.rows(statement, given)


@asynccontextmanager
async def archive(server: Server) -> AsyncIterator[Archive]:
    """Somebody who may ask, and wait for so long."""
    database = Database(server.url(RUNTIME), pool_size=1, statement_timeout=timedelta(seconds=TIMEOUT_SECONDS))
    yield Archive(database)
    await database.close()
