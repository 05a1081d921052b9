"""Scripts of Test and Debug runs: each attempt a Job of its own, from the queue to the recorded end."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from headgate.api.builtin import Script
from headgate.api.debugging import Debug, RunMode
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.desired.runner_pod import RunnerPods
from headgate.domain.attempt import Finished, judge
from headgate.domain.task import ClaimTerms, Outcome
from headgate.engine.run_metrics import RunMetrics
from headgate.reconcile.dispatch import Dispatcher
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.helper import Helper
from headgate.reconcile.workloads import Workloads, attempt_of
from tests.builders import a_workflow
from tests.component.world import World
from tests.support.script_pods import Executed, executed
from tests.unit.cluster.fake_kube import FakeKube
from tests.workload_builders import RUNNERS

PASSWORD = "correct-horse-battery"
TOKEN = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}
RETRY = {"limit": 1, "initialDelay": "0s"}


def script(source: str, language: str = "shell", **members: Any) -> dict[str, Any]:
    return {"script": {"language": language, "source": source, **members}}


class Cluster:
    """A replica that leads, and a cluster whose nodes are this machine."""

    def __init__(self, world: World, folder: Path, runners: RunnerPods | None = RUNNERS) -> None:
        self.world = world
        self.kube = FakeKube()
        self._folder = folder
        self._runners = runners
        workloads = Workloads(self.kube, Cache(), ttl_seconds=60, runners=runners)
        metrics = RunMetrics(CollectorRegistry(), lambda _: None)
        effects = EffectHandler(workloads, lambda _: None, metrics, later=lambda _key, _seconds: None)
        self.dispatcher = Dispatcher(
            world.engine,
            workloads,
            effects,
            ClaimTerms("operator-0", 50),
            wall=world.clock,
        )

    def helper(self) -> Helper:
        """A replica that does not lead."""
        return Helper(
            self.world.another_engine(),
            self.kube,
            ClaimTerms("operator-1", 50),
            wall=self.world.clock,
            monotonic=lambda: 0.0,
            runners=self._runners,
        )

    def jobs(self) -> list[Object]:
        return [item for key, item in self.kube.objects.items() if key.kind == "Job"]

    async def execute(self, job: Object, **secrets: str) -> Executed:
        """Execute the Job to its end, of which the engine hears by what Kubernetes shows."""
        ended = await executed(job, self._folder, secrets)
        ref = attempt_of(job)
        assert ref is not None
        verdict = judge(job, [ended.pod(job)], ref.node)
        assert isinstance(verdict, Finished)
        await self.world.engine.complete(ref, verdict.outcome)
        return ended


async def tried(world: World, mode: RunMode = RunMode.TEST, **debug: Any) -> UUID:
    return await world.admit(mode=mode, debug=Debug.model_validate(debug))


async def test_a_script_is_executed_for_real_and_its_output_is_the_node_s(world: World, tmp_path: Path) -> None:
    world.expressions.values["nodes.count.output"] = lambda known: known["nodes"]["count"]["output"]
    count = script('echo counting; echo "{\\"length\\": ${#TOKEN}}" > $HEADGATE_OUTPUT', env=[TOKEN])
    tell = script("printenv FOUND", env=[{"name": "FOUND", "value": "${{ nodes.count.output }}"}])
    await world.given(a_workflow().with_node("count", count).with_node("tell", tell, after=["count"]))
    cluster = Cluster(world, tmp_path)

    run = await tried(world)
    await cluster.dispatcher.once()
    [first] = cluster.jobs()
    await cluster.execute(first, api=PASSWORD)
    await cluster.dispatcher.once()
    second = await cluster.execute(cluster.jobs()[1])

    view = await world.view(run)
    assert view.phase is RunPhase.SUCCEEDED, view.error_message
    assert [node.output for node in view.nodes] == [{"length": len(PASSWORD)}, None]
    assert second.log == '{"length":21}\n'
    assert first["metadata"]["labels"]["headgate.dev/mode"] == "Test"


async def test_one_that_fails_says_of_what_and_is_tried_again(world: World, tmp_path: Path) -> None:
    await world.given(a_workflow().with_node("work", script("echo no disk >&2; exit 3"), retry=RETRY))
    cluster = Cluster(world, tmp_path)
    run = await tried(world, RunMode.DEBUG)

    for attempt in range(2):
        await cluster.dispatcher.once()
        await cluster.execute(cluster.jobs()[attempt])

    view = await world.view(run)
    assert view.phase is RunPhase.FAILED
    assert view.error_message == "work: ExitCode: exited with code 3: no disk"
    assert [job["metadata"]["labels"]["headgate.dev/attempt"] for job in cluster.jobs()] == ["1", "2"]


async def test_an_output_that_is_too_large_fails_clearly(world: World, tmp_path: Path) -> None:
    source = "import os\nopen(os.environ['HEADGATE_OUTPUT'], 'w').write('\"' + 'x' * 5000 + '\"')"
    await world.given(a_workflow().with_node("work", script(source, "python")))
    cluster = Cluster(world, tmp_path)
    run = await tried(world)
    await cluster.dispatcher.once()

    await cluster.execute(cluster.jobs()[0])

    [node] = (await world.view(run)).nodes
    assert (node.phase, node.reason) == (NodePhase.FAILED, "InvalidOutput")
    assert node.message == "more than 4096 bytes were written to $HEADGATE_OUTPUT"


async def test_every_item_of_a_list_is_a_job_of_its_own(world: World, tmp_path: Path) -> None:
    world.expressions.values |= {"inputs.items": [1, 2], "item": lambda known: known["item"]}
    work = script("echo $N > $HEADGATE_OUTPUT", env=[{"name": "N", "value": "${{ item }}"}])
    await world.given(
        a_workflow().with_input("items").with_node("work", work, forEach={"items": "inputs.items", "parallelism": 2})
    )
    cluster = Cluster(world, tmp_path)
    run = await tried(world)
    await cluster.dispatcher.once()

    for job in cluster.jobs():
        await cluster.execute(job)

    [node] = (await world.view(run)).nodes
    assert node.output == [1, 2]


async def test_a_replica_that_does_not_lead_makes_the_job_too(world: World, tmp_path: Path) -> None:
    await world.given(a_workflow().with_node("work", script("true")))
    cluster = Cluster(world, tmp_path)
    run = await tried(world)

    await cluster.helper().once()
    await cluster.execute(cluster.jobs()[0])

    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_a_normal_run_s_script_stays_a_runner_s(world: World) -> None:
    await world.given(a_workflow().with_node("work", script("true")))
    normal, test = await world.admit(), await tried(world)

    [task] = await world.claim()

    assert (task.ref.run_id, task.mode) == (test, "Test")
    assert isinstance(task.does, Script)
    assert [task.ref.run_id for task in await world.engine.runner_tasks.open()] == [normal]


async def test_it_is_known_after_a_restart(world: World, tmp_path: Path) -> None:
    await world.given(a_workflow().with_node("work", script("true")))
    await tried(world)
    await Cluster(world, tmp_path).dispatcher.once()

    [task] = await world.engine.open_tasks()

    assert isinstance(task.does, Script)
    assert task.job_uid is not None


async def test_ending_the_run_leaves_the_job_time_to_end(world: World, tmp_path: Path) -> None:
    await world.given(a_workflow().with_node("work", script("true")))
    cluster = Cluster(world, tmp_path)
    run = await tried(world)
    await cluster.dispatcher.once()

    effects = await world.engine.control.stop(world.ids["acme"], run, "enough")

    assert effects.stopping == (world.ref(run, "work"),)
    await world.engine.complete(world.ref(run, "work"), Outcome(False, reason="ExitCode", exit_code=143))
    assert await world.phase(run) is RunPhase.CANCELLED


@pytest.mark.parametrize("leads", [True, False])
async def test_where_no_gateway_is_installed_it_needs_a_mock(world: World, tmp_path: Path, leads: bool) -> None:
    await world.given(a_workflow().with_node("work", script("true"), retry=RETRY))
    cluster = Cluster(world, tmp_path, runners=None)
    run = await tried(world)

    if not leads:
        # Whatever is amiss with an attempt is the leader's to tell.
        await cluster.helper().once()
        assert await world.phase(run) is RunPhase.RUNNING
    await cluster.dispatcher.once()

    [node] = (await world.view(run)).nodes
    assert (node.phase, node.reason, node.attempt) == (NodePhase.FAILED, "NeedsMock", 1)
    assert node.message.startswith("give it a mock")
    assert cluster.jobs() == []
