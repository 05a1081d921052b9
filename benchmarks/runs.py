"""One-node runs on real pods: our requests that write, and the time beside bare Jobs, in one run on one machine.

    python -m benchmarks.runs [--count 20] [--rounds 3] [--runs-first]

Goals (DESIGN, section 10; the engine's issue): at most 3 writes of ours a run besides the Job itself, and 20 one-step
runs at once, and 1,000 (`--count 1000 --rounds 1`), within 1.1 times the time that bare Jobs take.

What is alike for both: the namespace with its plan and policies, how many are asked for at once and by how many
requests at the same time, and the Job with its pod, which is what Headgate would make of the node but for labels and
account. A script that runs untrusted work would confine it so too; what Headgate adds by how it builds pods is not what
is compared. They take turns in who comes first, bare Jobs in the first round unless told otherwise, and what has run is
deleted before the next, outside of the time that is taken. The operator has its own account, and runs all the time.

What only Headgate does counts against it: it records each run, reads each log and keeps it, and writes the status by
which the end of a run is told here. A bare Job's end is when its controller has summed it up. Neither kind is deleted
within the time that is taken; Headgate's requests that delete Jobs an hour later are added to its writes.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from uuid import UUID

from benchmarks import fleet, identities
from benchmarks.report import Figure, show
from hack import image as images
from hack.cluster.provider import choose
from hack.kube import Kube
from hack.postgres import RUNTIME, Server
from hack.test import NAME
from headgate.api.node import Container
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.resources import JOBS, PODS, WORKFLOW_RUNS, WORKFLOWS
from headgate.desired.job import job
from headgate.desired.keys import NAMESPACE, ApiResource
from headgate.desired.manifest import Manifest
from headgate.domain.task import JobTask, TaskRef
from headgate.reconcile.letting_go import TOGETHER
from headgate.store import migrate
from tests.builders import QuotaBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, is_ready, unique
from tests.support.databases import create_database, drop_database
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

AMPLE = {"pods": "5000", "count/jobs.batch": "5000", "count/workflowruns.headgate.dev": "5000"} | {
    f"{side}.{resource}": amount
    for side in ("requests", "limits")
    for resource, amount in {"cpu": "5000", "memory": "5000Gi", "ephemeral-storage": "9000Gi"}.items()
}
"""Compute that holds neither kind up."""
CPU = "process_cpu_seconds_total"
TIMEOUT_SECONDS = 24 * 3600
"""Of a bare Job: what a node has that says nothing of it."""
RESTED_SECONDS = 4.0
"""In less a single Job ends where the node has nothing else to do."""


def ample(name: str) -> QuotaBuilder:
    """A plan under which nothing waits."""
    return a_quota(name).with_limits(maxConcurrentRuns=100_000, maxExecutionsPerDay=1_000_000).with_compute(**AMPLE)


async def main(count: int, rounds: int, state: Path, image: str, *, runs_first: bool = False) -> list[Figure]:
    """Run both kinds, several times in turn, and compare the medians."""
    kubeconfig, _ = identities.operator(state)
    kube = fleet.client(identities.script(state))
    cluster = Cluster(kube, image)
    server = Server(state, durable=False).up()
    database = create_database(server)
    migrate.upgrade(database.migration_url, runtime_login=RUNTIME)
    log = (state / "logs" / "benchmark-operator.log").resolve()
    operator = OperatorProcess(kubeconfig, log, database.url, extra={"HEADGATE_LEASE_DURATION_SECONDS": "15"})
    name = unique("bench")
    try:
        await fleet.until_quiet(kube)
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await cluster.apply(ample(name))
        await cluster.ready_workspace(a_workspace(name).with_quota(name))
        node = {"container": {"image": image, "command": ["true"]}}
        await cluster.apply(a_workflow("one", name).with_node("only", node))
        await cluster.until(WORKFLOWS, "one", name, is_ready)
        bare: list[float] = []
        ours: list[float] = []
        written: Counter[str] = Counter()

        async def theirs(number: int) -> None:
            bare.append(await bare_jobs(cluster, name, image, f"bare-{number}", count))

        async def of_ours(number: int) -> None:
            before, cpu_before = Counter(operator.writes()), operator.metric(CPU)
            ours.append(await runs(cluster, name, f"run-{number}", count))
            print(f"processor time of the operator: {(operator.metric(CPU) - cpu_before) / count * 1000:.1f} ms a run")
            await asyncio.sleep(2)
            written.update(Counter(operator.writes()) - before)

        for number in range(rounds):
            turns = [theirs, of_ours] if (number % 2 == 0) is not runs_first else [of_ours, theirs]
            for turn in turns:
                await until_rested(cluster, name, image)
                await turn(number)
                await clear(cluster, name)
        print(f"{count} at once, {rounds} rounds: bare Jobs {_row(bare)} s, one-node runs {_row(ours)} s")
        print("writes:", ", ".join(f"{name} {number:.0f}" for name, number in written.most_common()))
        return [
            Figure(
                "writes of ours a run, besides its Job",
                of_runs(written) / count / rounds + 1 / min(count, TOGETHER),
                "writes",
                3,
                "lower",
            ),
            Figure("one-node runs over bare Jobs, medians", median(ours) / median(bare), "x", 1.1, "lower"),
        ]
    finally:
        operator.stop()
        await cluster.remove(workspaces=(name,), quotas=(name,))
        await cluster.until_gone(NAMESPACE, name, within=120)
        await kube.aclose()
        drop_database(database)


async def bare_jobs(cluster: Cluster, namespace: str, image: str, prefix: str, count: int) -> float:
    """Seconds from the first creation until the last of so many bare Jobs is complete."""
    wanted = [_bare(namespace, image, f"{prefix}-{number}") for number in range(count)]
    names = {job["metadata"]["name"] for job in wanted}
    creating = [partial(cluster.kube.create, JOBS, job) for job in wanted]
    return await timed(cluster.kube, JOBS, names, creating, lambda job: "completionTime" in job.get("status", {}))


async def timed(
    kube: KubeClient,
    kind: ApiResource,
    names: set[str],
    creating: Sequence[Callable[[], Awaitable[Object]]],
    ended: Callable[[Object], bool],
) -> float:
    """Seconds from the first creation until all have ended."""
    version = await kube.present_version(kind)
    started = time.monotonic()
    async with asyncio.timeout(60 + len(names)), asyncio.TaskGroup() as group:
        group.create_task(until_all(kube, kind, names, version, ended))
        await fleet.all_of(creating, f"{kind.kind}s created")
    return time.monotonic() - started


async def until_all(
    kube: KubeClient, kind: ApiResource, names: set[str], version: int, ended: Callable[[Object], bool]
) -> None:
    """Return when these objects, created since ``version``, have ended.

    They are watched, from before the first is created: to list a thousand every other second is work that the API
    server does for none of those compared, and it keeps what changed for a while only.
    """
    left = set(names)
    while left:
        async for _, item in kube.watch(kind, version=version):
            version = int(item["metadata"]["resourceVersion"])
            if ended(item):
                left.discard(item["metadata"].get("name"))
            if not left:
                return


async def clear(cluster: Cluster, namespace: str) -> None:
    """Delete what has run, and return when no pod is left: a kubelet is the slower the more dead pods it has."""
    for kind in (WORKFLOW_RUNS, JOBS):
        gone = [
            partial(cluster.kube.delete, kind, item["metadata"]["name"], namespace)
            for item in await cluster.list(kind, namespace)
        ]
        await fleet.all_of(gone, f"{kind.kind}s deleted")

    async def no_pod() -> bool:
        return not await cluster.list(PODS, namespace)

    await eventually(no_pod, within=600, every=2.0, what="the end of every pod")


async def until_rested(cluster: Cluster, namespace: str, image: str) -> None:
    """Return when the kubelet starts what is asked for at once.

    After it was told to forget 1,000 dead pods it removed what was left of them for 55 s, and started nothing.
    """
    for number in range(60):
        if await bare_jobs(cluster, namespace, image, f"rested-{number}", 1) < RESTED_SECONDS:
            return
    raise AssertionError(f"no Job took less than {RESTED_SECONDS:g} s")


async def runs(cluster: Cluster, namespace: str, prefix: str, count: int) -> float:
    """Seconds from the first creation until the last of so many WorkflowRuns has Succeeded."""
    names = {f"{prefix}-{number}" for number in range(count)}
    creating = [partial(cluster.create, a_run(name, namespace, "one")) for name in sorted(names)]
    return await timed(cluster.kube, WORKFLOW_RUNS, names, creating, has_succeeded)


def has_succeeded(run: Object) -> bool:
    """Whether the run's own status says so."""
    return bool(run.get("status", {}).get("phase") == "Succeeded")


def of_runs(written: Counter[str]) -> float:
    """What runs cost but the creation of their Jobs. Use is written once every few seconds, however many run."""
    kinds = ("workflowruns", "jobs", "events")
    cost = sum(number for name, number in written.items() if any(f'resource="{kind}"' in name for kind in kinds))
    return cost - sum(number for name, number in written.items() if 'resource="jobs",verb="POST"' in name)


def image_on(state: Path) -> str:
    """The image of these sources, on the cluster of that state."""
    provider = choose(NAME, state)
    built = images.build()
    if not Kube(provider.kubeconfig).has_image(images.full_name(built.tag)):
        provider.load_image(built.archive, built.tag)
    return built.tag


def _bare(namespace: str, image: str, name: str) -> Manifest:
    """What Headgate would make of the node, under another name, and without what only Headgate's may have.

    That is the labels, and the account, which may do nothing: without one it is the namespace's own, of which no
    token is mounted either.
    """
    task = JobTask(
        ref=TaskRef(UUID(int=0), UUID(int=0), "only", 1),
        workspace=namespace,
        namespace=namespace,
        workflow="one",
        does=Container(image=image, command=("true",)),
        timeout_seconds=TIMEOUT_SECONDS,
    )
    spec = job(task)["spec"]
    pod = {key: value for key, value in spec["template"]["spec"].items() if key != "serviceAccountName"}
    bare = {**spec, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": namespace}, "spec": bare}


def _row(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs-first", action="store_true", help="in the first round, and in each second after it")
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    arguments = parser.parse_args()
    figures = asyncio.run(
        main(
            arguments.count,
            arguments.rounds,
            arguments.state,
            image_on(arguments.state),
            runs_first=arguments.runs_first,
        )
    )
    show(figures, f"python -m benchmarks.runs --count {arguments.count} --rounds {arguments.rounds}")
