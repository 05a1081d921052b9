"""What a run costs where runners are warm: real gateways, real runners and an embedded Postgres, all on this machine.

    python -m benchmarks.warm [--gateways 2] [--runners 2] [--runs 3000]

Only the API server is played: it says whose the runners' tokens are. No pod is needed for that, as a pool's pods are
there before the run is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import psutil  # type: ignore[import-untyped]
import psycopg
import yaml
from aiohttp import web

from benchmarks.engine import UNLIMITED, NoExpressions, a_server
from benchmarks.pace import Pace
from benchmarks.report import Figure, show
from benchmarks.target import target
from hack.ports import free_port
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.api.members import Role
from headgate.api.workflow import WorkflowSpec
from headgate.domain.runner_task import POOL_NAME
from headgate.engine.api_keys import NewKey
from headgate.engine.engine import Engine
from headgate.engine.types import WorkspaceRecord
from headgate.store import migrate
from headgate.store.database import Database
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 25
"""Runs of forty steps of a kind."""
UNSEEN_SECONDS = 0.4
HERE = '[{"cidr":"127.0.0.0/8"}]'


def workflow(length: int, config: dict[str, Any]) -> WorkflowSpec:
    """So many nodes in a row, behind a manual trigger."""
    nodes: list[dict[str, Any]] = [{"id": "by-hand", "type": "trigger", "config": {"manual": {}}}]
    for number in range(length):
        nodes.append({"id": f"n{number}", "type": "action", "dependsOn": [nodes[-1]["id"]], "config": config})
    return WorkflowSpec.model_validate({"nodes": nodes})


@asynccontextmanager
async def api_server() -> AsyncIterator[str]:
    """An API server that believes every token: its text is the name of the pod."""

    async def review(request: web.Request) -> web.Response:
        token = (await request.json())["spec"]["token"]
        namespace, _, pod = token.partition("/")
        extra = {
            "authentication.kubernetes.io/pod-name": [pod],
            "authentication.kubernetes.io/pod-uid": [f"uid-of-{pod}"],
        }
        user = {"username": f"system:serviceaccount:{namespace}:headgate-run", "extra": extra}
        return web.json_response({"status": {"authenticated": True, "audiences": ["headgate-runner"], "user": user}})

    async def namespace(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        labels = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": name}
        return web.json_response({"metadata": {"name": name, "labels": labels}})

    served = web.Application()
    served.add_routes(
        [
            web.post("/apis/authentication.k8s.io/v1/tokenreviews", review),
            web.get("/api/v1/namespaces/{name}", namespace),
        ]
    )
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@dataclass
class Bench:
    """Gateways and runners that run."""

    http: aiohttp.ClientSession
    engine: Engine
    urls: Sequence[str]
    keys: dict[str, str]
    seen: list[float]
    processes: dict[str, list[int]]

    async def start(self, name: str, workspace: str = "acme", number: int = 0) -> str:
        """Start a run, and return its id."""
        url = f"{self.urls[number % len(self.urls)]}/api/v1/workspaces/{workspace}/runs"
        headers = {"Authorization": f"Bearer {self.keys[workspace]}"}
        async with self.http.post(url, json={"workflow": name}, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["id"])

    async def ended(self, workspace: str, run: str, every: float = 0.02) -> dict[str, Any]:
        """The run once it has ended, looked at every so many seconds."""
        url = f"{self.urls[0]}/api/v1/workspaces/{workspace}/runs/{run}"
        headers = {"Authorization": f"Bearer {self.keys[workspace]}"}
        while True:
            async with self.http.get(url, headers=headers) as answer:
                found: dict[str, Any] = await answer.json()
            if found["phase"] in ("Succeeded", "Failed", "Cancelled"):
                assert found["phase"] == "Succeeded", found
                return found
            await asyncio.sleep(every)

    async def first_steps(self, count: int) -> tuple[list[float], list[float]]:
        """Seconds from the request to the first step's own, and to the answer: one run after the other."""
        triggered, answered = [], []
        for number in range(count):
            self.seen.clear()
            begun = time.perf_counter()
            run = await self.start("call", number=number)
            answered.append(time.perf_counter() - begun)
            await self.ended("acme", run)
            triggered.append(self.seen[0] - begun)
        return triggered, answered

    async def forty(self, name: str) -> float:
        """Milliseconds a step of forty in a row, as recorded: the median of so many runs.

        None is looked at as long as it should take: the gateway that is asked is the one that is measured.
        """
        times, pace = [], Pace()
        for _ in range(ROUNDS):
            pace.look()
            run = await self.start(name)
            await asyncio.sleep(UNSEEN_SECONDS)
            steps = (await self.ended("acme", run))["nodes"]
            begun = min(datetime.fromisoformat(step["startedAt"]) for step in steps)
            ended = max(datetime.fromisoformat(step["finishedAt"]) for step in steps)
            times.append((ended - begun).total_seconds() / len(steps) * 1000)
        low, _, high = statistics.quantiles(times, n=4)
        print(f"{name}: half of {ROUNDS} runs between {low:.2f} and {high:.2f} ms a step; {pace.line('them')}")
        return statistics.median(times)

    async def transforms(self) -> float:
        """Milliseconds a step of forty that the engine takes by itself, from the request to its answer: the median of
        five runs."""
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            run = await self.start("transforms")
            times.append((time.perf_counter() - begun) / 40 * 1000)
            await self.ended("acme", run)
        return statistics.median(times)

    async def runs_a_second(self, workspaces: Sequence[str], total: int, workers: int) -> tuple[float, str]:
        """One-step runs, from the first request to the last end; and what one takes of processors, in milliseconds."""

        async def work(number: int) -> None:
            for _ in range(total // workers):
                await self.start("call", workspaces[number % len(workspaces)], number)

        count = total // workers * workers
        begun, before = time.perf_counter(), self.processor_seconds()
        await asyncio.gather(*(work(number) for number in range(workers)))
        await eventually(partial(self._none_open, workspaces), within=300, every=0.02)
        rate = count / (time.perf_counter() - begun)
        used = {name: (seconds - before[name]) / count * 1000 for name, seconds in self.processor_seconds().items()}
        told = ", ".join(f"{name} {each:.1f}" for name, each in used.items())
        return rate, f"{sum(used.values()):.1f} ({told})"

    def processor_seconds(self) -> dict[str, float]:
        """Processor time used so far, by what used it."""
        found = {"this": sum(os.times()[:2])}
        for name, roots in self.processes.items():
            found[name] = sum(map(_processor_seconds, roots))
        return found

    async def _none_open(self, workspaces: Sequence[str]) -> bool:
        return not any([await self.engine.workspaces.running_runs(name) for name in workspaces])


@asynccontextmanager
async def running(server: Server, names: Sequence[str], gateways: int, runners: int) -> AsyncIterator[Bench]:
    """Gateways, and runners of workspaces of these names, that have done some runs."""
    database = Database(server.url(RUNTIME), pool_size=4)
    engine = Engine(database, NoExpressions(), clock=lambda: datetime.now(UTC))
    await engine.ensure_partitions(datetime.now(UTC))
    seen: list[float] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = await stack.enter_async_context(target(seen))
        keys = {name: await _workspace(engine, name, url) for name in names}
        kubeconfig = _kubeconfig(folder, await stack.enter_async_context(api_server()))
        ports = [free_port() for _ in range(gateways)]
        processes: dict[str, list[int]] = {"gateways": [], "runners": [], "postgres": [server.pid() or 0]}
        for port in ports:
            process = _gateway(server.url(RUNTIME), kubeconfig, port)
            stack.callback(_end, process)
            processes["gateways"].append(process.pid)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        for ready in urls:
            await _until_ready(http, ready)
        for number in range(runners):
            for name in names:
                for process in _runner(folder, name, number, urls[number % gateways]):
                    stack.callback(_end, process)
                    processes["runners"].append(process.pid)
        bench = Bench(http, engine, urls, keys, seen, processes)
        for name in names:
            for _ in range(20):
                await bench.ended(name, await bench.start("call", name))
                await bench.ended(name, await bench.start("script", name))
        yield bench


async def measure(server: Server, gateways: int, runners: int, runs: int) -> list[Figure]:
    names = ["acme", "umbra"]
    async with running(server, names, gateways, runners) as bench:
        return await _measured(server, bench, runs, names)


async def _measured(server: Server, bench: Bench, runs: int, names: Sequence[str]) -> list[Figure]:
    triggered, answered = await bench.first_steps(200)
    figures = [
        Figure("trigger to first step, p50 of 200", statistics.median(triggered) * 1000, "ms", 20, "lower"),
        Figure("trigger to first step, p99", statistics.quantiles(triggered, n=100)[98] * 1000, "ms", 100, "lower"),
        Figure("start of a run through the API, p50", statistics.median(answered) * 1000, "ms", 10, "lower"),
        Figure("one of 40 transforms in a row", await bench.transforms(), "ms", 3.5, "lower"),
        Figure("one of 40 http steps in a row", await bench.forty("calls"), "ms", 3.5, "lower"),
        Figure("one of 40 shell scripts in a row", await bench.forty("scripts"), "ms", 3.5, "lower"),
        Figure("one of 40 Python scripts in a row", await bench.forty("pythons"), "ms", 3.5, "lower"),
    ]
    await bench.runs_a_second(names, runs // 10, 16)
    # As autovacuum does within a minute: until then the server plans for tables that it saw empty.
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        connection.execute("ANALYZE")
    for many in (names[:1], names):
        rate, used = await bench.runs_a_second(many, runs, 16)
        print(f"milliseconds of processors for a one-step run, {len(many)} workspaces: {used}")
        figures.append(Figure(f"one-step runs, {len(many)} workspaces, 16 clients", rate, "/s", 300, "higher"))
    return figures


async def _workspace(engine: Engine, name: str, url: str) -> str:
    workspace_id = await engine.workspaces.sync(WorkspaceRecord(name, UNLIMITED, suspended=False))
    call = {"http": {"url": url}}
    transform = {"transform": {"expression": "1 + 1"}}
    shell, python = ({"script": {"language": language, "source": text}} for language, text in PROGRAMS)
    for made, length, config in (
        ("call", 1, call),
        ("script", 1, shell),
        ("transforms", 40, transform),
        ("calls", 40, call),
        ("scripts", 40, shell),
        ("pythons", 40, python),
    ):
        await engine.workflows.record(workspace_id, name, made, workflow(length, config))
    return (await engine.api_keys.issue(workspace_id, NewKey("bench", Role.OWNER, "bench"))).text


PROGRAMS = (("shell", "true"), ("python", "pass"))


def _kubeconfig(folder: Path, server: str) -> Path:
    path = folder / "kubeconfig"
    named = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "played",
        "clusters": [{"name": "played", "cluster": {"server": server}}],
        "users": [{"name": "played", "user": {"token": "played"}}],
        "contexts": [{"name": "played", "context": {"cluster": "played", "user": "played"}}],
    }
    path.write_text(yaml.safe_dump(named))
    return path


def _gateway(database: str, kubeconfig: Path, port: int) -> subprocess.Popen[bytes]:
    return _started(
        ["-m", "headgate.cli.main", "gateway"],
        HEADGATE_DATABASE_URL=database,
        HEADGATE_KUBECONFIG=str(kubeconfig),
        HEADGATE_API_PORT=str(port),
        HEADGATE_HTTP_PORT="0",
        HEADGATE_HTTP_HOST="127.0.0.1",
        HEADGATE_LOG_LEVEL="warning",
        # One caller asks for everything here.
        HEADGATE_CALLS_PER_MINUTE="100000",
    )


def _runner(folder: Path, name: str, number: int, gateway: str) -> list[subprocess.Popen[bytes]]:
    token = folder / f"{name}-{number}"
    token.write_text(f"{name}/{POOL_NAME}-abc-{number:05d}")
    scripts = str(folder / f"{name}-{number}.sock")
    runner = _started(
        ["-P", "-m", "headgate.runner"],
        HEADGATE_RUNNER_GATEWAY_URL=gateway,
        HEADGATE_RUNNER_TOKEN_PATH=str(token),
        HEADGATE_RUNNER_NETWORKS=HERE,
        HEADGATE_RUNNER_SCRIPTS_SOCKET=scripts,
        HEADGATE_RUNNER_LOG_LEVEL="warning",
    )
    return [runner, _started(["-P", "-m", "headgate.runner.script_host"], HEADGATE_SCRIPTS_SOCKET=scripts)]


def _started(arguments: list[str], **environment: str) -> subprocess.Popen[bytes]:
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "operator")}
    return subprocess.Popen([sys.executable, *arguments], env=known | environment, stdout=subprocess.DEVNULL)


def _processor_seconds(root: int) -> float:
    """Of a process and those that it started, as far as they are there."""
    used = 0.0
    try:
        for process in (psutil.Process(root), *psutil.Process(root).children(recursive=True)):
            times = process.cpu_times()
            used += times.user + times.system
    except psutil.Error:
        return used
    return used


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def _until_ready(http: aiohttp.ClientSession, url: str) -> None:
    while True:
        try:
            async with http.get(f"{url}/api/v1/openapi.json"):
                return
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm")
    parser.add_argument("--gateways", type=int, default=1)
    parser.add_argument("--runners", type=int, default=1, help="runners of each of two workspaces")
    parser.add_argument("--runs", type=int, default=3000, help="runs of which the rate is taken")
    given = parser.parse_args()
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        command = f"python -m benchmarks.warm --gateways {given.gateways} --runners {given.runners} --runs {given.runs}"
        show(asyncio.run(measure(server, given.gateways, given.runners, given.runs)), command)


if __name__ == "__main__":
    main()
