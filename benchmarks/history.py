"""Questions to a long history, and the same to tables laid out as Argo's archive, on an embedded Postgres.

    python -m benchmarks.history [--runs 100000] [--keep DIRECTORY] [--use DIRECTORY] [--without-argo]

The issue's figure is ``--runs 10000000 --keep DIRECTORY``: about an hour and 30 GB. What was interrupted goes on where
it stopped with the same words; ``--use DIRECTORY`` only asks again. Rows are made from a seed and loaded by COPY: a
year of up to 1,000 workspaces, of which the first run fifty times as much as the last. Questions are asked one after
the other over one connection that has planned them, each time of another workspace, those that run much more often.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks.engine import UNLIMITED, NoExpressions, a_chain
from benchmarks.past import argo, loading
from benchmarks.past.argo import TIMEOUT_SECONDS, Archive
from benchmarks.past.loading import Past
from benchmarks.past.year import SEED, weights
from benchmarks.report import Figure, show
from hack.postgres import RUNTIME, SUPERUSER, Server
from headgate.api.workflow_run import RunPhase
from headgate.domain.search import SearchKind
from headgate.engine.engine import Engine
from headgate.engine.types import Admitted, Outcome, RunFilter, RunRequest, TaskRef, TriggerKind, WorkspaceRecord
from headgate.store.database import Database
from headgate.store.errors import DatabaseUnavailable

ASKED, ASKED_SLOWLY = 300, 20
ENDS = 5000
RECORDED = 12_000
TELLERS = ((1, 16), (4, 64), (16, 64), (16, 128))
"""In how many workspaces ends are told, and by how many at once in all of them."""
CONNECTIONS = 16
_SAMPLE = """
    SELECT id FROM headgate.workflow_executions WHERE workspace_id = %s AND started_at >= %s
    ORDER BY started_at, id OFFSET %s LIMIT 1
"""


@dataclass(frozen=True)
class Asked:
    """Whom a question is about."""

    workspace: UUID
    run: UUID
    """In the middle of its history."""
    workflow: tuple[str, str]
    depth: int
    """Runs that are newer than that."""


@dataclass(frozen=True)
class Question:
    """Something that is asked of both."""

    what: str
    goal: float
    of_ours: Callable[[Asked], Awaitable[object]]
    of_argo: Callable[[Archive, Asked], Awaitable[None]] | None = None


def people(server: Server, past: Past, count: int) -> list[Asked]:
    """Workspaces, each as often as it runs something, with a run from somewhere in the history of each."""
    chance = random.Random(SEED)
    chosen = chance.choices(range(len(past.tenants)), cum_weights=weights(len(past.tenants)), k=count)
    known: dict[int, Asked] = {}
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        counts: dict[UUID, int] = dict(
            connection.execute("SELECT workspace_id, count(*) FROM headgate.workflow_executions GROUP BY 1").fetchall()
        )
        for number in set(chosen):
            workspace = past.tenants[number].id
            depth = min(counts.get(workspace, 0) // 2, 50_000)
            newest = counts.get(workspace, 0) - depth - 1
            row = connection.execute(_SAMPLE, [workspace, past.months()[0].start, max(0, newest)]).fetchone()
            if row is not None:
                known[number] = Asked(workspace, row[0], (f"w{number:04d}", "flow-0"), depth)
    return [known[number] for number in chosen if number in known]


def questions(engine: Engine, past: Past) -> list[Question]:
    """All of them, with the issue's goals."""
    failed = frozenset([RunPhase.FAILED])
    phase = ("workflows.argoproj.io/phase", "Failed")
    team = ("team", "team-3")
    since, until = past.end - timedelta(days=120), past.end - timedelta(days=90)
    day = past.end.astimezone(UTC).date()

    def page(filters: RunFilter, *, deep: bool = False) -> Callable[[Asked], Awaitable[object]]:
        return lambda asked: engine.list_runs(asked.workspace, filters, str(asked.run) if deep else None)

    def by_workflow(asked: Asked) -> Awaitable[object]:
        return engine.list_runs(asked.workspace, RunFilter(failed, asked.workflow))

    def of_a_workflow_with_a_label(asked: Asked) -> Awaitable[object]:
        return engine.list_runs(asked.workspace, RunFilter(workflow=asked.workflow, labels=(team,)))

    def words(text: str) -> Callable[[Asked], Awaitable[object]]:
        return lambda asked: engine.search.find(asked.workspace, SearchKind.RUN, text)

    return [
        Question("newest 50", 10, page(RunFilter()), lambda archive, asked: archive.page(asked.workspace)),
        Question(
            "newest 50 that failed",
            10,
            page(RunFilter(failed)),
            lambda archive, asked: archive.page(asked.workspace, labels=(phase,)),
        ),
        Question("newest 50 of a workflow that failed", 10, by_workflow),
        Question(
            "newest 50 with a label that a tenth has",
            10,
            page(RunFilter(labels=(team,))),
            lambda archive, asked: archive.page(asked.workspace, labels=(team,)),
        ),
        Question(
            "newest 50 with that label that failed",
            10,
            page(RunFilter(failed, labels=(team,))),
            lambda archive, asked: archive.page(asked.workspace, labels=(team, phase)),
        ),
        Question("newest 50 of a workflow with that label", 10, of_a_workflow_with_a_label),
        Question(
            "newest 50 of a month",
            10,
            page(RunFilter(since=since, until=until)),
            lambda archive, asked: archive.page(asked.workspace, since=since, until=until),
        ),
        Question(
            "a page in the middle of history",
            10,
            page(RunFilter(), deep=True),
            lambda archive, asked: archive.page(asked.workspace, offset=asked.depth),
        ),
        Question("the same of what failed", 10, page(RunFilter(failed), deep=True)),
        Question("the same with the label", 10, page(RunFilter(labels=(team,)), deep=True)),
        Question(
            "a run by id with its steps",
            5,
            lambda asked: engine.run_view(asked.workspace, asked.run),
            lambda archive, asked: archive.run(asked.run),
        ),
        Question(
            "analytics of 90 days",
            50,
            lambda asked: engine.analytics.view(asked.workspace, day - timedelta(days=89), day),
            lambda archive, asked: archive.days(asked.workspace, past.end - timedelta(days=90)),
        ),
        Question(
            "errors with frequent words",
            10,
            words("exit code"),
            lambda archive, asked: archive.errors(asked.workspace, "exit code"),
        ),
        Question(
            "errors with a rare word",
            10,
            words('"db 17"'),
            lambda archive, asked: archive.errors(asked.workspace, "db-17."),
        ),
        Question(
            "workflows by a word", 10, lambda asked: engine.search.find(asked.workspace, SearchKind.WORKFLOW, "extract")
        ),
    ]


@dataclass(frozen=True)
class Times:
    """Milliseconds. The median tells more where other work runs on the machine."""

    p50: float
    p95: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.3g} ms, p95 {self.p95:.4g} ms"


def times_of(seconds: list[float]) -> Times:
    return Times(statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=20)[-1] * 1000)


async def ask(question: Question, asked: list[Asked]) -> Times:
    for one in asked[:10]:
        await question.of_ours(one)
    times = []
    for one in asked:
        began = time.perf_counter()
        await question.of_ours(one)
        times.append(time.perf_counter() - began)
    return times_of(times)


async def ask_argo(question: Question, archive: Archive, asked: list[Asked]) -> Times | None:
    """As ``ask``, of fewer workspaces: what is slow there takes seconds each time."""
    if question.of_argo is None:
        return None
    times = []
    for one in asked[:ASKED_SLOWLY]:
        began = time.perf_counter()
        try:
            await question.of_argo(archive, one)
        except DatabaseUnavailable:
            times.append(float(TIMEOUT_SECONDS))
            continue
        times.append(time.perf_counter() - began)
    return times_of(times)


async def fold(server: Server, engine: Engine, past: Past) -> float:
    """Seconds to add up so many ends of many workspaces, p50."""
    times = []
    tenants = [(tenant.id, tenant.workflows[0][0]) for tenant in past.tenants]
    for _ in range(5):
        with (
            psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection,
            connection.cursor().copy(
                "COPY headgate.analytics_deltas (workspace_id, workflow_id, day, node, sign, phase, duration_ms) FROM"
                " STDIN"
            ) as copy,
        ):
            for number in range(ENDS):
                node = "extract" if number % 2 else None
                row = (*tenants[number % len(tenants)], past.end.date(), node, 1, "Succeeded", 1000 + number)
                copy.write_row(row)
        began = time.perf_counter()
        while await engine.analytics.fold():
            pass
        times.append(time.perf_counter() - began)
    return statistics.median(times)


async def record(server: Server, workspaces: int, tellers: int) -> float:
    """Runs a second whose ends are recorded, as attempts report them: all that follows an end is in it.

    As many ``tellers`` in each of the workspaces, in which ends that come at once share a transaction.
    """
    database = Database(server.url(RUNTIME), pool_size=CONNECTIONS)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC), randomness=secrets.token_bytes)
    await engine.ensure_partitions(datetime.now(UTC))
    names = [f"recorded-{workspaces}-{number}" for number in range(workspaces)]
    ids = {name: await engine.workspaces.sync(WorkspaceRecord(name, UNLIMITED, suspended=False)) for name in names}
    for name in names:
        await engine.workflows.record(ids[name], name, "one", a_chain(1))

    async def begun(number: int) -> list[TaskRef]:
        name = names[number % workspaces]
        found = []
        for _ in range(RECORDED // tellers):
            request = RunRequest(ids[name], name, "one", TriggerKind.API, secrets.token_hex(8))
            answer, _ = await engine.admit(request)
            assert isinstance(answer, Admitted)
            found.append(TaskRef(ids[name], answer.run_id, "n0", 1))
        return found

    refs = await asyncio.gather(*map(begun, range(tellers)))

    async def tell(of_one: list[TaskRef]) -> None:
        for ref in of_one:
            await engine.complete(ref, Outcome(succeeded=True, output={"rows": 1}))

    began = time.perf_counter()
    await asyncio.gather(*map(tell, refs))
    took = time.perf_counter() - began
    await database.close()
    return tellers * (RECORDED // tellers) / took


async def measure(server: Server, past: Past, *, with_argo: bool) -> list[Figure]:
    database = Database(server.url(RUNTIME), pool_size=1)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    asked = people(server, past, ASKED)
    figures = []
    async with argo.archive(server) as archive:
        for question in questions(engine, past):
            ours = await ask(question, asked)
            figures.append(Figure(f"{question.what}, p95", ours.p95, "ms", question.goal, "lower"))
            theirs = await ask_argo(question, archive, asked) if with_argo else None
            print(f"{question.what}: {ours}")
            if theirs is not None:
                print(f"  in Argo's layout {theirs}: {theirs.p50 / ours.p50:.3g} times the median", flush=True)
    figures.append(Figure(f"adding up {ENDS} ends", await fold(server, engine, past), "s", 2, "lower"))
    await database.close()
    for workspaces, tellers in TELLERS:
        what = f"ends of runs recorded, {tellers} told at once, workspaces: {workspaces}"
        figures.append(Figure(what, await record(server, workspaces, tellers), "/s", 1000, "higher"))
    return figures


@contextmanager
def a_past(arguments: argparse.Namespace) -> Iterator[tuple[Server, Past]]:
    """A server that holds the year. It stops afterwards, and is gone where nobody wants to keep it."""
    kept: Path | None = arguments.use or arguments.keep
    state = kept.absolute() if kept is not None else Path(tempfile.mkdtemp(prefix="headgate-bench-"))
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    try:
        if arguments.use is None:
            # Nothing of it needs to outlive the machine: what is missing is made again.
            loader = Server(state, durable=False).up()
            _tune(loader)
            past = loading.past_of(loader, arguments.runs, min(1000, max(1, arguments.runs // 1000)))
            loading.load(loader, past)
            if not arguments.without_argo:
                argo.load(loader, past)
            loader.down()
        server = Server(state).up()
        yield server, loading.read_past(state / "past.json")
    finally:
        Server(state).down()
        if kept is None:
            shutil.rmtree(state)


def _tune(server: Server) -> None:
    """What one gives a database of some size; it counts from the next start on."""
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        for setting, value in (("shared_buffers", "2GB"), ("max_wal_size", "8GB"), ("random_page_cost", "1.1")):
            connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'".encode())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history")
    parser.add_argument("--runs", type=int, default=100_000, help="size of the history; 10000000 is the issue's")
    parser.add_argument("--keep", type=Path, help="directory in which the database stays, and is completed")
    parser.add_argument("--use", type=Path, help="directory of a database that is complete")
    parser.add_argument("--without-argo", action="store_true", help="leave out the tables of Argo's layout")
    arguments = parser.parse_args()
    with a_past(arguments) as (server, past):
        figures = asyncio.run(measure(server, past, with_argo=not arguments.without_argo))
        show(figures, f"python -m benchmarks.history --runs {past.runs}")


if __name__ == "__main__":
    main()
