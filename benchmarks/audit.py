"""What the audit log costs, on an embedded Postgres: admissions with and without an entry, and verifying a long log.

    python -m benchmarks.audit [--entries 50000]

Admissions are measured in turns with and without somebody who asks, so that other work on the machine meets both alike.
In the end a month of as many entries, which was over a year ago, moves to an archive in a folder.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg

from benchmarks.engine import UNLIMITED, NoExpressions, a_chain, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.domain.audit import Act, Action, Actor, ActorKind
from headgate.domain.audit_keys import SigningKeys
from headgate.engine.archive import writing
from headgate.engine.archive.entries import Entries
from headgate.engine.archive.files import ArchiveFiles
from headgate.engine.engine import Engine
from headgate.engine.types import RunRequest, TriggerKind, WorkspaceRecord
from headgate.objects.object_store import ObjectStore
from headgate.store import migrate
from headgate.store.archive import entries as stored_entries
from headgate.store.archive.choosing import Policy
from headgate.store.database import Database

SOMEBODY = Actor(ActorKind.USER, "alice", "Kubernetes token")
KEYS = SigningKeys("bench", {"bench": bytes(range(32))})
CALLERS = 8
SEED = """
    INSERT INTO headgate.audit_log (workspace_id, at, actor_kind, actor_name, actor_via, action, object, outcome,
        detail)
    SELECT %s, now(), 'user', 'alice', 'Kubernetes token', 'run.start', 'run/' || n, 'Done', '{"workflow":"acme/one"}'
    FROM generate_series(1, %s) n
"""


async def rate(engine: Engine, workspaces: list[UUID], by: Actor | None, total: int) -> float:
    """Admissions a second by callers at once, each waiting for its answer."""
    left = itertools.islice(itertools.cycle(workspaces), total)

    async def caller() -> None:
        for workspace_id in left:
            request = RunRequest(workspace_id, "acme", "one", TriggerKind.API, str(uuid4()), by=by)
            await engine.admit(request)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return total / (time.perf_counter() - began)


async def in_turns(engine: Engine, workspaces: list[UUID], rounds: int, total: int) -> tuple[float, float]:
    """Admissions a second without and with an entry, the median of all rounds."""
    without: list[float] = []
    audited: list[float] = []
    for _ in range(rounds):
        without.append(await rate(engine, workspaces, None, total))
        audited.append(await rate(engine, workspaces, SOMEBODY, total))
    return statistics.median(without), statistics.median(audited)


async def notes(engine: Engine, workspaces: list[UUID], total: int) -> float:
    """Entries a second, of which each is a transaction of its own."""
    left = itertools.islice(itertools.cycle(workspaces), total)
    act = Act(SOMEBODY, Action.KEY_CREATE, "key/1", {"name": "ci"})

    async def caller() -> None:
        for workspace_id in left:
            await engine.audit.note(workspace_id, act)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return total / (time.perf_counter() - began)


MONTH = """
    INSERT INTO headgate.audit_log (workspace_id, at, actor_kind, actor_name, actor_via, action, object, outcome,
        detail)
    SELECT %(workspace)s, CAST(%(month)s AS timestamptz) + interval '27 days' * n / %(count)s, 'user',
        'user-' || n %% 40, 'Kubernetes token', 'run.start', 'run/' || gen_random_uuid(), 'Done',
        json_build_object('workflow', 'acme/nightly-' || n %% 25)
    FROM generate_series(1, %(count)s) n
"""


def stored(url: str) -> int:
    """Bytes of what is kept of audit logs in Postgres, indexes included, once what was freed is used again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM FULL headgate.audit_log, headgate.audit_parts, headgate.audit_anchors")
        [found] = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'headgate'::regnamespace"
            " AND relname IN ('audit_log', 'audit_parts', 'audit_anchors')"
        ).fetchone() or (0,)
    return int(found)


async def archived(server: Server, count: int) -> list[Figure]:
    """A month that was over long ago moves."""
    now, year = datetime.now(UTC), timedelta(days=365)
    month = (now - timedelta(days=430)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    database = Database(server.url(RUNTIME), pool_size=4)
    with tempfile.TemporaryDirectory() as folder:
        objects = ObjectStore(f"file://{folder}")
        engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC), archive=objects)
        workspace = await engine.workspaces.sync(WorkspaceRecord("old", UNLIMITED, suspended=False))
        url = server.url(SUPERUSER)
        empty = stored(url)
        # The entry of the workspace itself is young, and would keep what comes after it.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for table in ("audit_log", "audit_heads"):
                connection.execute(f"DELETE FROM headgate.{table} WHERE workspace_id = %s".encode(), [workspace])
            connection.execute("SET session_replication_role = origin")
            connection.execute(MONTH, {"workspace": workspace, "month": month, "count": count})
        await engine.audit.sign(KEYS)
        before = stored(url) - empty
        kind, steps = Entries(engine._context, KEYS), []  # noqa: SLF001 - each step is measured alone
        files, policy = ArchiveFiles(objects), Policy(year, year, 10 * year, legal_hold=False)
        began = time.perf_counter()
        while (part := await kind.begin(workspace, policy, now)) is not None:
            await writing.write(kind, files, workspace, part)
        steps.append(time.perf_counter() - began)
        gone, remove = list[float](), stored_entries.remove

        async def removing(*arguments: object) -> int:
            started = time.perf_counter()
            removed = await remove(*arguments)  # type: ignore[arg-type]
            gone.append(time.perf_counter() - started)
            return removed

        stored_entries.remove = removing  # type: ignore[assignment]
        began = time.perf_counter()
        tidied = await kind.tidy(files, workspace, policy, now)
        steps.append(time.perf_counter() - began)
        after = stored(url) - empty
        size = sum([item.size async for item in objects.list("archive")])
        began = time.perf_counter()
        found = await engine.audit.verify(workspace, "old", KEYS.public())
        steps.append(time.perf_counter() - began)
        objects.close()
    await database.close()
    if found.finding is not None or found.entries != count:
        raise SystemExit(f"the archived log is not good: {found}")
    print(f"{count} entries in {tidied.removed} parts: written in {steps[0]:.1f} s, verified there in {steps[2]:.1f} s")
    print(f"looked at once more and removed in {steps[1]:.1f} s")
    print(f"before {before / 1e6:.1f} MB; after {after / 1e6:.2f} MB, and {size / 1e6:.1f} MB in the archive")
    return [
        Figure(
            "a month of the audit log less, archive included", 100 - 100 * (after + size) / before, "%", 70, "higher"
        ),
        Figure(f"its {count:,} rows go, looked at once more", sum(gone), "s", 1, "lower"),
    ]


async def measure(server: Server, entries: int) -> list[Figure]:
    database = Database(server.url(RUNTIME), pool_size=10)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    workspaces = [await engine.workspaces.sync(WorkspaceRecord(f"w{n}", UNLIMITED, suspended=False)) for n in range(8)]
    for workspace_id in workspaces:
        await engine.workflows.record(workspace_id, "acme", "one", a_chain(1))
    await rate(engine, workspaces, None, 80)
    one, one_audited = await in_turns(engine, workspaces[:1], 5, 200)
    many, many_audited = await in_turns(engine, workspaces, 5, 200)
    in_one = await notes(engine, workspaces[:1], 1000)
    in_many = await notes(engine, workspaces, 1000)
    long = await engine.workspaces.sync(WorkspaceRecord("long", UNLIMITED, suspended=False))
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        connection.execute(SEED, [long, entries])
    await engine.audit.sign(KEYS)
    began = time.perf_counter()
    found = await engine.audit.verify(long, "long", KEYS.public())
    verified = found.entries / (time.perf_counter() - began)
    if found.finding is not None:
        raise SystemExit(f"the log is not good: {found.finding}")
    await database.close()
    return [
        Figure(f"admissions with an entry, {one:.4g}/s without, one workspace", one_audited, "/s", 0.8 * one, "higher"),
        Figure(
            f"admissions with an entry, {many:.4g}/s without, eight workspaces",
            many_audited,
            "/s",
            0.8 * many,
            "higher",
        ),
        Figure("entries of one workspace, each a transaction", in_one, "/s", 200, "higher"),
        Figure("entries of eight workspaces, each a transaction", in_many, "/s", 200, "higher"),
        Figure(f"entries verified of {entries:,}", verified, "/s", 10_000, "higher"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit")
    parser.add_argument("--entries", type=int, default=50_000, help="length of the log that is verified")
    arguments = parser.parse_args()
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        figures = asyncio.run(measure(server, arguments.entries)) + asyncio.run(archived(server, arguments.entries))
        show(figures, f"python -m benchmarks.audit --entries {arguments.entries}")


if __name__ == "__main__":
    main()
