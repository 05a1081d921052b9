"""What the audit log costs, on an embedded Postgres: admissions with and without an entry, and verifying a long log.

    python -m benchmarks.audit [--entries 50000]

Admissions are measured in turns with and without somebody who asks, so that other work on the machine meets both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg

from benchmarks.engine import UNLIMITED, NoExpressions, a_chain, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.domain.audit import Act, Action, Actor, ActorKind
from headgate.domain.audit_keys import SigningKeys
from headgate.engine.engine import Engine
from headgate.engine.types import RunRequest, TriggerKind, WorkspaceRecord
from headgate.store import migrate
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


async def measure(server: Server, entries: int) -> list[Figure]:
    database = Database(server.url(RUNTIME), pool_size=10)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    workspaces = [await engine.sync_workspace(WorkspaceRecord(f"w{n}", UNLIMITED, suspended=False)) for n in range(8)]
    for workspace_id in workspaces:
        await engine.record_version(workspace_id, "acme", "one", a_chain(1))
    await rate(engine, workspaces, None, 80)
    one, one_audited = await in_turns(engine, workspaces[:1], 5, 200)
    many, many_audited = await in_turns(engine, workspaces, 5, 200)
    in_one = await notes(engine, workspaces[:1], 1000)
    in_many = await notes(engine, workspaces, 1000)
    long = await engine.sync_workspace(WorkspaceRecord("long", UNLIMITED, suspended=False))
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
        show(
            asyncio.run(measure(server, arguments.entries)), f"python -m benchmarks.audit --entries {arguments.entries}"
        )


if __name__ == "__main__":
    main()
