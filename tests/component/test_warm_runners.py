"""Runners of a pool: real processes of the runner and of its scripts' host, a real gateway and a real Postgres."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.runner_task import POOL_NAME
from headgate.engine.types import RunView
from headgate.objects.object_store import ObjectStore
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.api_server import ApiServer
from tests.component.kept import assert_exact
from tests.component.leaving import assert_all_there
from tests.component.test_runner_process import ROOT, Slow, runs, script, serving
from tests.component.world import World
from tests.support.waiting import eventually

SECRET = {"secretKeyRef": {"name": "api", "key": "token"}}
GIVE = "echo {} > $HEADGATE_OUTPUT".format


@dataclass
class Pool:
    """One runner of a pool, with the host of its scripts."""

    world: World
    api: ApiServer
    url: str
    folder: Path
    objects: ObjectStore
    token: str = ""
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, uid: str = "uid-1", **extra: str) -> asyncio.subprocess.Process:
        self.token = f"token-{uid}"
        self.api.knows(self.token, UUID(int=0), uid=uid)
        extra_of = self.api.users[self.token]["user"]["extra"]
        extra_of["authentication.kubernetes.io/pod-name"] = [f"{POOL_NAME}-6bd9f7c5d8-abcde"]
        token = self.folder / uid
        token.write_text(f"{self.token}\n")
        room = self.folder / f"{uid}.sock"
        values = {
            "HEADGATE_RUNNER_GATEWAY_URL": self.url,
            "HEADGATE_RUNNER_TOKEN_PATH": str(token),
            "HEADGATE_RUNNER_SCRIPTS_SOCKET": str(room),
            "HEADGATE_RUNNER_WAIT_SECONDS": "1",
            "HEADGATE_RUNNER_NETWORKS": '[{"cidr": "127.0.0.0/8"}]',
            **extra,
        }
        runner = await self._process("headgate.runner", values)
        scratch = self.folder / f"{uid}-scratch"
        scratch.mkdir()
        host = {
            "HEADGATE_SCRIPTS_SOCKET": str(room),
            "HEADGATE_SCRIPTS_EMPTIED": str(scratch),
            "TMPDIR": str(scratch),
        }
        await self._process("headgate.runner.script_host", host)
        return runner

    async def _process(self, module: str, values: dict[str, str]) -> asyncio.subprocess.Process:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "operator"), **values}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", module, cwd=self.folder, env=environment, stdout=asyncio.subprocess.PIPE
        )
        self.processes.append(process)
        return process

    @property
    def host(self) -> asyncio.subprocess.Process:
        return self.processes[-1]

    async def finished(self, run: UUID) -> RunView:
        """The run once it has ended."""

        async def over() -> RunView | None:
            view = await self.world.view(run)
            return view if view.phase in (RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED) else None

        return await eventually(over, every=0.02, what="the end of the run")

    async def ran(self, workflow: WorkflowBuilder) -> RunView:
        await self.world.given(workflow)
        return await self.finished(await self.world.admit(workflow.model().metadata.name))


@pytest.fixture
async def pool(world: World, tmp_path: Path) -> AsyncIterator[Pool]:
    world.clock.now = datetime.now(UTC)
    await world.engine.ensure_partitions(world.clock.now)
    api, objects = ApiServer(), ObjectStore(f"file://{tmp_path}/objects")
    async with serving(world, api, timedelta(seconds=3), objects) as url:
        pool = Pool(world, api, url, tmp_path, objects)
        yield pool
        for process in pool.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()
    objects.close()


async def test_one_runner_executes_nodes_of_one_run_after_the_other(pool: Pool) -> None:
    await pool.start()

    chain = await pool.ran(
        a_workflow("chain")
        .with_node("one", script(GIVE(1)))
        .with_node("refused", {"http": {"url": "http://10.0.0.1/"}}, after=["one"], onFailure="Continue")
        .with_node("two", script(GIVE(2)), after=["refused:ended"])
    )
    other = await pool.ran(a_workflow("other").with_node("three", script(GIVE(3))))

    assert {node.id: (node.output, node.reason) for node in (*chain.nodes, *other.nodes)} == {
        "one": (1, ""),
        "refused": (None, "HttpAddress"),
        "two": (2, ""),
        "three": (3, ""),
    }


async def test_of_one_script_nothing_is_there_for_the_next(pool: Pool) -> None:
    await pool.start()
    scratch = pool.folder / "uid-1-scratch"
    leave = f"""
(setsid sleep 600 & echo $! > {pool.folder}/left) &
until test -s {pool.folder}/left; do sleep 0.01; done
echo secret > {scratch}/note; mkdir -p {scratch}/d/e; chmod 0 {scratch}/d
"""
    await pool.ran(a_workflow("leaves").with_node("work", script(leave)))

    looked = await pool.ran(a_workflow("looks").with_node("work", script(f"ls -A {scratch} | grep -v ^script-")))

    assert looked.nodes[0].message == "exited with code 1", "grep has found nothing"
    assert not runs(pool.folder / "left")


async def test_files_that_scripts_leave_come_out_of_their_container_and_are_kept(pool: Pool) -> None:
    await pool.start()
    world = pool.world
    leave = """
import os
with open(os.environ["HEADGATE_ARTIFACTS"] + "/large.bin", "wb") as file:
    for number in range(12):
        file.write(bytes([number]) * 1_000_003)
open(os.environ["HEADGATE_ARTIFACTS"] + "/empty", "w").close()
"""

    first = await pool.ran(a_workflow().with_node("work", script(leave, "python")))
    second = await pool.ran(a_workflow("next").with_node("work", script('ls "$HEADGATE_ARTIFACTS" | grep .')))

    found = (await world.engine.artifacts.list(world.ids["acme"], first.run_id)).items
    assert [(item.name, item.size) for item in found] == [("empty", 0), ("large.bin", 12_000_036)]
    assert second.nodes[0].message == "exited with code 1", "grep has found nothing"
    await assert_all_there(world, pool.objects)
    await assert_exact(world)


async def test_files_that_are_not_kept_fail_their_script_and_the_next_one_begins(pool: Pool) -> None:
    await pool.start()
    await pool.world.given_workspace(max_storage_mb=1)
    leave = 'head -c 1000001 /dev/zero > "$HEADGATE_ARTIFACTS/zero"'

    full = await pool.ran(a_workflow("full").with_node("work", script(leave)))
    link = await pool.ran(a_workflow("link").with_node("work", script('ln -s /etc/hostname "$HEADGATE_ARTIFACTS/x"')))
    fits = await pool.ran(a_workflow("fits").with_node("work", script('echo > "$HEADGATE_ARTIFACTS/x"')))

    assert [view.nodes[0].reason for view in (full, link, fits)] == ["StorageLimit", "InvalidArtifact", ""]
    assert "takes 1000001 bytes" in full.nodes[0].message
    await assert_all_there(pool.world, pool.objects)


async def test_scripts_are_held_to_limits(pool: Pool) -> None:
    await pool.start(HEADGATE_RUNNER_MEMORY_BYTES=str(300_000_000), HEADGATE_RUNNER_FILE_BYTES="65536")
    view = await pool.ran(
        a_workflow()
        .with_node("memory", script("x = bytearray(400_000_000)", "python"), onFailure="Continue")
        .with_node("file", script("head -c 100000 /dev/zero > big"), onFailure="Continue")
        .with_node("time", script("while :; do :; done"), timeout="1s", onFailure="Continue")
    )

    found = {node.id: (node.reason, node.message) for node in view.nodes}
    assert "MemoryError" in found["memory"][1]
    assert "exited with code 153" in found["file"][1]
    # Its processor time ends when its time does.
    assert found["time"][0] in ("Timeout", "ExitCode")


async def test_a_script_s_variables_are_its_own_alone(pool: Pool) -> None:
    await pool.start()
    look = "env | cut -d= -f1 | grep -v -e ^HEADGATE_NODE$ -e ^HEADGATE_RUN$ | grep -e RUNNER -e SCRIPTS -e PYTHONPATH"

    view = await pool.ran(a_workflow().with_node("work", script(f"if {look}; then exit 9; fi")))

    assert view.phase is RunPhase.SUCCEEDED


async def test_what_a_script_prints_is_told_with_its_end(pool: Pool) -> None:
    await pool.start()

    view = await pool.ran(a_workflow().with_node("work", script("echo one; echo two >&2; exit 3")))

    [waiting] = await pool.world.engine.logs.waiting(10)
    assert waiting.ref == pool.world.ref(view.run_id, "work")
    printed = await pool.world.engine.logs.printed(waiting.ref)
    assert printed is not None
    assert sorted(printed.content.splitlines()) == [b"one", b"two"]


async def test_what_needs_a_secret_of_kubernetes_is_left_to_a_runner_of_its_own(pool: Pool) -> None:
    await pool.start()
    env = [{"name": "T", "valueFrom": SECRET}]
    await pool.world.given(a_workflow("needs").with_node("work", script("true", env=env)))
    needs = await pool.world.admit("needs")

    await pool.ran(a_workflow("plain").with_node("work", script("true")))

    assert await pool.world.phases(needs) == {"work": NodePhase.QUEUED}
    [task] = await pool.world.engine.runner_tasks.open()
    assert (task.ref.run_id, task.needs_secrets, task.kind) == (needs, True, "script")


async def test_a_runner_that_is_told_to_end_finishes_what_it_has_and_takes_nothing_more(pool: Pool) -> None:
    runner = await pool.start()
    slow = Slow(pool.folder)
    source = f"echo $$ > {pool.folder}/pid; until test -e {pool.folder}/go; do sleep 0.02; done"
    await pool.world.given(
        a_workflow("slow").with_node("work", script(source)).with_node("after", script("true"), after=["work"])
    )
    run = await pool.world.admit("slow")
    await slow.under_way()

    runner.send_signal(signal.SIGTERM)
    slow.let_end()
    async with asyncio.timeout(20):
        await runner.wait()

    assert runner.returncode == 0
    assert (await pool.world.phases(run))["work"] is NodePhase.SUCCEEDED
    [task] = await pool.world.engine.runner_tasks.open()
    assert (task.ref.node, task.holder) == ("after", None)
    async with asyncio.timeout(20):
        await pool.host.wait()


async def test_what_does_not_end_in_time_is_given_back_and_begun_by_another(pool: Pool) -> None:
    runner = await pool.start(HEADGATE_RUNNER_DRAIN_SECONDS="0.1")
    mark = pool.folder / "pid"
    source = f"test -e {mark} || {{ echo $$ > {mark}; sleep 600; }}"
    await pool.world.given(a_workflow("slow").with_node("work", script(source)))
    run = await pool.world.admit("slow")
    await Slow(pool.folder).under_way()

    runner.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        await runner.wait()
    [task] = await pool.world.engine.runner_tasks.open()
    assert (task.holder, task.losses) == (None, 0)
    await pool.start("uid-2")

    assert (await pool.finished(run)).phase is RunPhase.SUCCEEDED


async def test_a_script_whose_container_ends_fails_and_the_runner_goes_on_with_the_next_container(pool: Pool) -> None:
    await pool.start()
    slow = Slow(pool.folder)
    await pool.world.given(a_workflow("slow").with_node("work", script(slow.source)))
    run = await pool.world.admit("slow")
    await slow.under_way()
    room = pool.folder / "uid-1.sock"

    pool.host.kill()
    os.killpg(int((pool.folder / "pid").read_text()), signal.SIGKILL)

    [node] = (await pool.finished(run)).nodes
    assert node.reason == "ScriptLost"
    await pool._process("headgate.runner.script_host", {"HEADGATE_SCRIPTS_SOCKET": str(room)})
    again = await pool.ran(a_workflow("again").with_node("work", script(GIVE(1))))
    assert again.nodes[0].output == 1


async def test_an_attempt_of_a_runner_that_died_is_taken_over_and_counted(pool: Pool) -> None:
    runner = await pool.start()
    mark = pool.folder / "pid"
    await pool.world.given(
        a_workflow("slow").with_node("work", script(f"test -e {mark} || {{ echo $$ > {mark}; sleep 600; }}"))
    )
    run = await pool.world.admit("slow")
    await Slow(pool.folder).under_way()
    runner.kill()
    pool.world.clock.advance(seconds=3)
    await pool.start("uid-2")

    view = await pool.finished(run)

    assert (view.phase, view.nodes[0].attempt) == (RunPhase.SUCCEEDED, 1)


async def test_a_run_that_is_stopped_ends_its_script(pool: Pool) -> None:
    await pool.start()
    slow = Slow(pool.folder)
    await pool.world.given(a_workflow("slow").with_node("work", script(slow.source)))
    run = await pool.world.admit("slow")
    await slow.under_way()

    await pool.world.engine.control.stop(pool.world.ids["acme"], run, "changed my mind")

    await slow.asked_to_end()
    slow.let_end()
    assert (await pool.finished(run)).phase is RunPhase.CANCELLED
    assert await pool.world.phases(run) == {"work": NodePhase.CANCELLED}
