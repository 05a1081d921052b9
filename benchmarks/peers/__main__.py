"""Headgate, Prefect and Temporal: the same questions, one after the other, in one run on one machine.

    python -m benchmarks.peers [--runs 1600] [--only headgate,temporal]

Each has a Postgres of its own that waits for the disk, Debian's, with the extensions that peers ask for, reached over
TCP; one worker that is warm; and a step that is one HTTP request. What is measured is what the client, the target of
the steps and the database tell, of all alike. What a peer needs is installed on first use, outside of the checkout:
Prefect and Temporal's library into environments of their own, Temporal's server compiled from its Go modules.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import a_server
from benchmarks.peers import headgate, prefect, temporal
from benchmarks.peers.measuring import Measured, Running, measured, table
from hack import packages
from hack.packages import postgres_programs
from hack.postgres import Server
from hack.shell import CommandError

LOOPBACK = "127.0.0.2"
"""Where Postgres listens besides its socket: peers' libraries want TCP."""
_PAUSE = 5.0
_END_OF_LOG = 4000


@dataclass(frozen=True)
class System:
    """Something to ask."""

    title: Callable[[], str]
    """Its name with versions. Installs it, and raises where that cannot be done."""
    running: Callable[[Server, Path], AbstractAsyncContextManager[Running]]
    """It, on that Postgres, with its files in that folder."""


SYSTEMS = {
    "headgate": System(headgate.title, headgate.running),
    "prefect": System(prefect.title, prefect.running),
    "temporal": System(temporal.title, temporal.running),
}


def _asked(system: System, runs: int) -> Measured | None:
    """The figures; None where the system failed, which is told with the ends of its logs."""

    async def ask(server: Server, folder: Path) -> Measured:
        async with system.running(server, folder) as running:
            return await measured(running, runs)

    with (
        tempfile.TemporaryDirectory(prefix="headgate-peers-") as name,
        a_server(LOOPBACK, postgres_programs()) as server,
    ):
        folder = Path(name)
        try:
            return asyncio.run(ask(server, folder))
        except Exception:
            traceback.print_exc()
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-_END_OF_LOG:]}", file=sys.stderr)
            return None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("--runs", type=int, default=1600, help="one-step runs of which the rate is taken")
    parser.add_argument("--only", default=",".join(SYSTEMS), help="which systems, with a comma between them")
    given = parser.parse_args()
    packages.ensure("peers")
    # So that what was started is ended as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    titles: dict[str, str] = {}
    for name in given.only.split(","):
        try:
            titles[name] = SYSTEMS[name].title()
        except (CommandError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{name} cannot be had here, and is left out: {error}", flush=True)
    found: dict[str, Measured] = {}
    for name, title in titles.items():
        print(f"asking {title} ...", flush=True)
        answer = _asked(SYSTEMS[name], given.runs)
        if answer is not None:
            found[title] = answer
        # What was just ended leaves the processors to the next one.
        time.sleep(_PAUSE)
    print(table(found))
    print(f"repeat with: python -m benchmarks.peers --runs {given.runs} --only {given.only}")
    if len(found) < len(titles):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
