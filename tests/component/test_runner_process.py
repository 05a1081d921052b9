"""A real runner process, a real gateway and a real Postgres; only the API server is played."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, cast
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from headgate.api.container import SecretKeyRef
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.cluster.client import KubeClient
from headgate.domain.credentials import Values
from headgate.domain.runner_log import FrameReader
from headgate.domain.runner_task import secret_variable
from headgate.gateway.app import gateway
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.streams import Streams
from headgate.gateway.ties import Ties
from headgate.objects.object_store import ObjectStore
from tests.builders import a_workflow
from tests.component.api_server import ApiServer
from tests.component.kept import assert_exact
from tests.component.leaving import assert_all_there
from tests.component.listening import listening
from tests.component.vault import PASSWORD
from tests.component.world import World
from tests.support.databases import TestDatabase
from tests.support.doubles import over_tcp
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
GONE = {"credentialKeyRef": {"name": "gone", "key": "password"}}
DSN = SecretKeyRef(name="db", key="dsn")


@dataclass
class Runners:
    """Starts runners of runs."""

    world: World
    api: ApiServer
    url: str
    folder: Path
    objects: ObjectStore

    async def start(self, run: UUID, uid: str = "uid-1", **extra: str) -> asyncio.subprocess.Process:
        token = self.folder / uid
        token.write_text(f"token-{uid}\n")
        self.api.knows(f"token-{uid}", run, uid=uid)
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.folder),
            "PYTHONPATH": str(ROOT / "operator"),
            "HEADGATE_RUNNER_GATEWAY_URL": self.url,
            "HEADGATE_RUNNER_RUN_ID": str(run),
            "HEADGATE_RUNNER_TOKEN_PATH": str(token),
            "HEADGATE_RUNNER_IDLE_SECONDS": "0.3",
            **extra,
        }
        command = [sys.executable, "-P", "-m", "headgate.runner"]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe
        )

    async def done(self, run: UUID, **extra: str) -> tuple[int | None, str]:
        """The exit code of a runner that works off the run, and all it said."""
        process = await self.start(run, **extra)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return process.returncode, (out + err).decode()


@asynccontextmanager
async def serving(
    world: World, api: ApiServer, lease: timedelta, objects: ObjectStore | None = None
) -> AsyncIterator[str]:
    authenticator = Authenticator(cast("KubeClient", api), world.engine.workspaces, monotonic=lambda: 0.0)
    registry = CollectorRegistry()
    app = gateway(
        Ties(
            engine=world.engine,
            authenticator=authenticator,
            callers=Callers(
                cast("KubeClient", api), world.engine.api_keys, world.engine.workspaces, monotonic=lambda: 0.0
            ),
            limits=world.engine.call_limits(burst=1000, monotonic=lambda: 0.0),
            streams=Streams(world.engine.changes, registry, most=0, most_of_workspace=0),
            registry=registry,
            lease=lease,
            wall=world.clock,
            heard=lambda _workspace, _effects: None,
            objects=objects,
        )
    )
    async with listening(app) as url:
        yield url


@pytest.fixture
async def runners(world: World, tmp_path: Path) -> AsyncIterator[Runners]:
    # Times are compared with those of processes here.
    world.clock.now = datetime.now(UTC)
    await world.engine.ensure_partitions(world.clock.now)
    api, objects = ApiServer(), ObjectStore(f"file://{tmp_path}/objects")
    async with serving(world, api, timedelta(seconds=3), objects) as url:
        yield Runners(world, api, url, tmp_path, objects)
    objects.close()


def script(source: str, language: str = "shell", **members: Any) -> dict[str, Any]:
    return {"script": {"language": language, "source": source, **members}}


def runs(pid: Path) -> bool:
    return Path(f"/proc/{pid.read_text().strip()}").exists()


async def test_a_run_of_every_kind_is_worked_off_and_the_runner_ends(
    world: World, runners: Runners, fresh: TestDatabase
) -> None:
    give = 'import json, os; json.dump([1, 2], open(os.environ["HEADGATE_OUTPUT"], "w"))'
    workflow = (
        a_workflow()
        .with_node("python", script(give, "python"))
        .with_node("shell", script("echo 7 > $HEADGATE_OUTPUT"), after=["python"])
        .with_node("sql", {"sql": {"connection": DSN.to_wire(), "query": "SELECT 3 AS n"}}, after=["shell"])
        .with_node("http", {"http": {"url": "http://127.0.0.1:1/"}}, after=["sql"])
    )
    await world.given(workflow)
    run = await world.admit()

    code, said = await runners.done(run, **{secret_variable(DSN): fresh.url})

    assert code == 0, said
    view = await world.view(run)
    outputs = {node.id: node.output for node in view.nodes}
    assert outputs == {"python": [1, 2], "shell": 7, "sql": {"rowCount": 1, "rows": [{"n": 3}]}, "http": None}
    assert (view.phase, view.nodes[-1].reason) == (RunPhase.FAILED, "HttpAddress")
    assert fresh.url not in said


async def test_nodes_are_given_credentials_and_no_value_of_them_leaves_the_runner(
    world: World, runners: Runners, fresh: TestDatabase
) -> None:
    acme = world.ids["acme"]
    await world.engine.credentials.put(acme, "db", "postgres", Values({"dsn": fresh.url}), by="alice")
    await world.engine.credentials.put(acme, "shop", "login", Values({"password": PASSWORD, "user": "u"}), by="alice")
    env = [{"name": "P", "valueFrom": {"credentialKeyRef": {"name": "shop", "key": "password"}}}]
    told = 'echo "$P" >&2; echo "{\\"length\\": ${#P}, \\"all\\": \\"$P\\"}" > $HEADGATE_OUTPUT; env'
    gone = {"script": {"language": "shell", "source": "true", "env": [{**env[0], "valueFrom": GONE}]}}
    await world.given(
        a_workflow()
        .with_node("script", script(told, env=env))
        .with_node("sql", {"sql": {"credential": {"name": "db", "key": "dsn"}, "query": "SELECT 3 AS n"}})
        .with_node("gone", gone, after=["script", "sql"])
    )
    run = await world.admit()

    code, said = await runners.done(run)

    assert code == 0, said
    nodes = {node.id: node for node in (await world.view(run)).nodes}
    assert nodes["script"].output == {"length": len(PASSWORD), "all": "[redacted]"}
    assert nodes["sql"].output == {"rowCount": 1, "rows": [{"n": 3}]}
    assert nodes["gone"].reason == "CredentialRefused"
    assert nodes["gone"].message.endswith("the gateway answered 404: the workspace has no credential gone")
    assert "[redacted]" in said
    assert PASSWORD not in said
    assert fresh.url not in said
    given = await world.rows("SELECT node, credential FROM headgate.credential_releases ORDER BY node")
    assert given == [{"node": "script", "credential": "shop"}, {"node": "sql", "credential": "db"}]


async def test_files_that_scripts_leave_are_kept_and_counted(world: World, runners: Runners) -> None:
    leave = """
import os
with open(os.environ["HEADGATE_ARTIFACTS"] + "/large.bin", "wb") as file:
    for number in range(12):
        file.write(bytes([number]) * 1_000_003)
"""
    await world.given(
        a_workflow()
        .with_node("python", script(leave, "python"))
        .with_node("shell", script('cd "$HEADGATE_ARTIFACTS"; echo 1,2 > a.csv; : > empty'), after=["python"])
        .with_node("link", script('ln -s /etc/hostname "$HEADGATE_ARTIFACTS/x"'), after=["shell"])
    )
    run = await world.admit()

    code, said = await runners.done(run)

    assert code == 0, said
    nodes = {node.id: node for node in (await world.view(run)).nodes}
    assert (nodes["link"].reason, "no plain file" in nodes["link"].message) == ("InvalidArtifact", True)
    found = {item.name: item for item in (await world.engine.artifacts.list(world.ids["acme"], run)).items}
    assert {name: (item.ref.node, item.size) for name, item in found.items()} == {
        "large.bin": ("python", 12_000_036),
        "a.csv": ("shell", 4),
        "empty": ("shell", 0),
    }
    await assert_all_there(world, runners.objects)
    await assert_exact(world)


async def test_files_without_room_fail_the_attempt_and_say_how_much_there_is(world: World, runners: Runners) -> None:
    await world.given_workspace(max_storage_mb=1)
    await world.given(a_workflow().with_node("work", script('head -c 1000001 /dev/zero > "$HEADGATE_ARTIFACTS/zero"')))
    run = await world.admit()

    code, said = await runners.done(run)

    assert code == 0, said
    [node] = (await world.view(run)).nodes
    assert node.reason == "StorageLimit"
    assert "takes 1000001 bytes" in node.message
    await assert_all_there(world, runners.objects)


async def test_another_runner_takes_over_from_one_that_was_killed(world: World, runners: Runners) -> None:
    mark = runners.folder / "mark"
    await world.given(a_workflow().with_node("work", script(f"test -e {mark} || {{ echo $$ > {mark}; sleep 600; }}")))
    run = await world.admit()
    first = await runners.start(run, "uid-1")

    async def under_way() -> bool:
        return mark.exists() and bool(mark.read_text().strip())

    await eventually(under_way)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    # In a pod it would have been the end of everything.
    os.killpg(int(mark.read_text()), signal.SIGKILL)
    world.clock.advance(seconds=3)

    code, said = await runners.done(run, uid="uid-2")

    assert code == 0, said
    [node] = (await world.view(run)).nodes
    assert (node.phase, node.attempt) == (NodePhase.SUCCEEDED, 1)


@dataclass
class Slow:
    """A script that takes a while to end when it is asked to, and tells so."""

    folder: Path

    @property
    def source(self) -> str:
        ending = f"echo ending; touch {self.folder}/asked; until test -e {self.folder}/go; do sleep 0.05; done"
        begin = f"echo $$ > {self.folder}/pid; echo begun"
        return f"trap '{ending}; echo ended; exit 3' TERM; {begin}; while :; do sleep 0.05; done"

    async def under_way(self) -> None:
        await eventually(lambda: self._is_there("pid"), what="the script")

    async def asked_to_end(self) -> None:
        await eventually(lambda: self._is_there("asked"), what="SIGTERM")

    def let_end(self) -> None:
        (self.folder / "go").touch()

    @property
    def is_running(self) -> bool:
        return runs(self.folder / "pid")

    async def _is_there(self, name: str) -> bool:
        path = self.folder / name
        return path.exists() and (name != "pid" or bool(path.read_text().strip()))


def said(out: bytes, node: str = "work") -> str:
    """What the node's script printed on standard output."""
    frames = FrameReader().add(out)
    return "".join(frame.text for frame in frames if (frame.node, frame.stream) == (node, "stdout"))


async def ended(runner: asyncio.subprocess.Process) -> bytes:
    async with asyncio.timeout(30):
        out, _ = await runner.communicate()
    return out


async def test_a_run_that_is_asked_to_end_waits_for_its_script_and_then_cleans_up(
    world: World, runners: Runners
) -> None:
    slow = Slow(runners.folder)
    workflow = a_workflow().with_node("work", script(slow.source))
    await world.given(workflow.with_node("clean", script("echo cleaning"), after=["work"], final=True))
    run = await world.admit()
    runner = await runners.start(run)
    await slow.under_way()

    await world.engine.control.stop(world.ids["acme"], run, "changed my mind")

    await slow.asked_to_end()
    assert await world.phases(run) == {"work": NodePhase.RUNNING, "clean": NodePhase.PENDING}
    slow.let_end()
    out = await ended(runner)
    assert (said(out), said(out, "clean")) == ("begun\nending\nended\n", "cleaning\n")
    assert await world.phases(run) == {"work": NodePhase.CANCELLED, "clean": NodePhase.SUCCEEDED}
    assert await world.phase(run) is RunPhase.CANCELLED
    assert runner.returncode == 0


async def test_a_script_of_a_run_that_was_ended_at_once_still_has_its_time(world: World, runners: Runners) -> None:
    slow = Slow(runners.folder)
    await world.given(a_workflow().with_node("work", script(slow.source)))
    run = await world.admit()
    runner = await runners.start(run)
    await slow.under_way()

    await world.engine.control.cancel(world.ids["acme"], run, "changed my mind")

    await slow.asked_to_end()
    slow.let_end()
    assert said(await ended(runner)) == "begun\nending\nended\n"
    assert runner.returncode == 0
    assert not slow.is_running


async def test_a_script_that_takes_no_notice_is_killed_when_its_time_is_over(world: World, runners: Runners) -> None:
    # Longer than it takes until the runner hears that it is to stop.
    deaf, grace = Slow(runners.folder), 3.0
    # It prints nothing when it is asked to end: its time may be over before it is given the processor.
    source = f"trap '' TERM; echo begun; echo $$ > {runners.folder}/pid; while :; do sleep 0.05; done"
    await world.given(a_workflow().with_node("work", script(source)))
    run = await world.admit()
    runner = await runners.start(run, HEADGATE_RUNNER_GRACE_SECONDS=str(grace))
    await deaf.under_way()

    told = monotonic()
    await world.engine.control.stop(world.ids["acme"], run, "changed my mind")

    assert said(await ended(runner)) == "begun\n"
    assert monotonic() - told >= grace
    assert not deaf.is_running
    assert await world.phases(run) == {"work": NodePhase.CANCELLED}


async def test_a_runner_that_is_told_to_end_asks_its_scripts_to_and_leaves_nothing_running(
    world: World, runners: Runners
) -> None:
    slow = Slow(runners.folder)
    await world.given(a_workflow().with_node("work", script(slow.source)))
    run = await world.admit()
    runner = await runners.start(run)
    await slow.under_way()

    runner.send_signal(signal.SIGTERM)

    await slow.asked_to_end()
    slow.let_end()
    assert said(await ended(runner)) == "begun\nending\nended\n"
    assert runner.returncode == 143
    assert not slow.is_running
    assert await world.phases(run) == {"work": NodePhase.RUNNING}, "another runner begins it anew"


async def test_a_runner_without_a_good_token_gives_up_and_says_nothing_of_it(world: World, runners: Runners) -> None:
    await world.given(a_workflow().with_node("work", script("true")))
    run, other = await world.admit(), await world.admit()
    process = await runners.start(run, HEADGATE_RUNNER_RUN_ID=str(other))

    async with asyncio.timeout(20):
        out, err = await process.communicate()

    assert process.returncode == 4
    said = (out + err).decode()
    assert "is no runner of that run" in said
    assert "token-uid-1" not in said


async def test_a_copy_goes_on_in_the_next_run_and_connectors_are_given_credentials(
    world: World, runners: Runners, empty: TestDatabase
) -> None:
    empty.do("CREATE TABLE log AS SELECT n FROM generate_series(1, 5) n; CREATE TABLE copy (n int PRIMARY KEY)")
    reference = {"credentialKeyRef": {"name": "db", "key": "dsn"}}
    ends = {
        "source": {"postgres": {"connection": reference, "table": "log", "cursor": ["n"]}},
        "target": {"postgres": {"connection": reference, "table": "copy", "key": ["n"]}},
    }
    query = {"connection": reference, "query": "SELECT count(*) AS n FROM copy"}
    await world.given(
        a_workflow()
        .with_node("copy", {"connector": {"sync": {**ends, "batch": 2}}})
        .with_node("count", {"connector": {"postgres": query}}, after=["copy"])
    )
    outputs = []
    async with over_tcp(empty.superuser_url) as url:
        await world.engine.credentials.put(world.ids["acme"], "db", "postgres", Values({"dsn": url}), by="alice")
        for uid in ("uid-1", "uid-2"):
            run = await world.admit()
            code, said = await runners.done(run, uid=uid, HEADGATE_RUNNER_NETWORKS='[{"cidr": "127.0.0.0/8"}]')
            assert (code, url in said) == (0, False), said
            outputs.append({node.id: node.output for node in (await world.view(run)).nodes})
            empty.rows("INSERT INTO log SELECT n FROM generate_series(6, 8) n RETURNING 1")

    counts = [output["count"]["rows"] for output in outputs]
    assert [output["copy"]["records"] for output in outputs] == [5, 3]
    assert counts == [[{"n": 5}], [{"n": 8}]]
