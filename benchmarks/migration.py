"""What writers notice of migrations of a database with history, forward and back, on an embedded Postgres.

    python -m benchmarks.migration [--runs 1000000]

Four programs of revision 0005 start runs and end them meanwhile, one after the other. How long they are kept waiting is
in the time that their transactions take; none may fail, as one does that waits a minute for a lock.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from benchmarks.engine import a_server
from benchmarks.report import Figure, show
from hack.postgres import DATABASE, MIGRATOR, RUNTIME, SUPERUSER
from headgate.store import migrate
from tests.support.online import REVISION, Written, given_history, kept, writers


async def measure(runs: int) -> list[Figure]:
    with a_server() as server:
        owner, superuser = server.url(MIGRATOR), server.url(SUPERUSER, DATABASE, local=True)
        migrate.upgrade(owner, runtime_login=RUNTIME, revision=REVISION)
        begun = time.perf_counter()
        workspace = given_history(superuser, runs)
        print(f"{runs} runs of one step were there after {time.perf_counter() - begun:.0f} s")
        async with writers(server.url(RUNTIME), workspace) as written:
            await written.more(200)
            quiet = taken(written)
            forward = await timed(migrate.upgrade, owner, runtime_login=RUNTIME)
            during = taken(written)
            back = await timed(migrate.downgrade, owner, REVISION)
            backwards = taken(written)
        lost = len(written.runs) - kept(superuser, written)
        print(f"{len(written.runs)} runs were written; forward took {forward:.1f} s, back {back:.1f} s")
        print("\n".join(sorted(set(written.failures))))
        return [
            Figure("writes that failed", len(written.failures), "", 0, "lower"),
            Figure("runs that were lost", lost, "", 0, "lower"),
            Figure("the longest transaction of a writer before", quiet * 1000, "ms", 1000, "lower"),
            Figure("the same while migrating forward", during * 1000, "ms", 1000, "lower"),
            Figure("the same while migrating back", backwards * 1000, "ms", 1000, "lower"),
        ]


def taken(written: Written) -> float:
    """The longest transaction since this was asked last."""
    longest, written.longest = written.longest, 0.0
    return longest


async def timed(act: object, *arguments: str, **options: str) -> float:
    """Seconds that ``act`` takes in a thread."""
    assert callable(act)
    begun = time.perf_counter()
    await asyncio.to_thread(act, *arguments, **options)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000_000)
    runs = parser.parse_args().runs
    show(asyncio.run(measure(runs)), f"python -m benchmarks.migration --runs {runs}")


if __name__ == "__main__":
    main()
