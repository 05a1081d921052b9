"""The operator is killed with 500 runs under way, and started again: how soon all that ended meanwhile is recorded.

    python -m benchmarks.recovery [--count 500]

Goal: 10 s (the engine's issue). Each run is one Job on real pods, of which the node holds 250 at a time; those of the
others wait for room. The operator is killed with SIGKILL once every run has its Job; some pods are then told to end,
and when their Jobs are complete, an operator of the same identity is started, as the kubelet would do. It has recovered
once the status of each of these runs is Succeeded, and every object was looked at. A replica that stands by takes as
long, and what is left of the Lease besides: 15 s by default. That is not in the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from functools import partial
from pathlib import Path

from benchmarks import fleet, identities
from benchmarks.report import Figure, show
from benchmarks.runs import ample, image_on
from benchmarks.scale import drained
from hack.kube import Kube
from hack.postgres import RUNTIME, Server
from headgate.cluster.resources import JOBS, PODS, WORKFLOW_RUNS, WORKFLOWS
from headgate.desired.job import RUN_LABEL
from headgate.desired.keys import NAMESPACE
from headgate.store import migrate
from tests.builders import a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, is_ready, unique
from tests.support.databases import create_database, drop_database
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

ENDING = 50
"""Of this many runs the pods end while no operator runs."""
UNTIL_TOLD = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"
LITTLE = {"cpu": "1m", "memory": "16Mi", "ephemeral-storage": "1Mi"}
"""What a pod asks for, so that the node takes as many as it may hold."""
END = ("python", "-c", "import os; os.kill(1, 15)")


async def main(count: int, state: Path, image: str) -> list[Figure]:
    """Start the runs, kill, let some of them end, start again, and measure."""
    kubeconfig, _ = identities.operator(state)
    kube = fleet.client(identities.script(state))
    cluster = Cluster(kube, image)
    database = create_database(Server(state, durable=False).up())
    migrate.upgrade(database.migration_url, runtime_login=RUNTIME)
    log = (state / "logs" / "benchmark-operator.log").resolve()
    # The chart's lease, not the short one of tests: hundreds of pods that start take all of the machine.
    # And every run has its Job, though half of their pods find no room.
    settings = {"HEADGATE_LEASE_DURATION_SECONDS": "15", "HEADGATE_UNSCHEDULED_PODS": str(count)}
    operator = OperatorProcess(kubeconfig, log, database.url, extra=settings)
    name = unique("bench")
    try:
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await under_way(cluster, name, image, count, operator)
        operator.kill()
        ended = await some_end(cluster, Kube((state / "kubeconfig").resolve()), name)
        started = time.monotonic()
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        leading = time.monotonic() - started
        await eventually(partial(recorded, cluster, name, ended), within=120, every=0.2, what="the ends of the runs")
        told = time.monotonic() - started
        await eventually(partial(drained, operator), within=120, every=0.1, what="the end of the queue")
        recovered = time.monotonic() - started
        print(f"{count} runs under way: leading after {leading:.2f} s, {len(ended)} ends told after {told:.2f} s")
        return [Figure(f"recovered with {count} runs under way", recovered, "s", 10, "lower")]
    finally:
        operator.stop()
        await cluster.remove(workspaces=(name,), quotas=(name,))
        await cluster.until_gone(NAMESPACE, name, within=300)
        await kube.aclose()
        drop_database(database)


async def under_way(cluster: Cluster, namespace: str, image: str, count: int, operator: OperatorProcess) -> None:
    """Return when so many runs have their Job, and pods of some of them run."""
    await cluster.apply(ample(namespace))
    await cluster.ready_workspace(a_workspace(namespace).with_quota(namespace))
    node = {"container": {"image": image, "command": ["python", "-c", UNTIL_TOLD], "resources": {"requests": LITTLE}}}
    await cluster.apply(a_workflow("one", namespace).with_node("only", node))
    await cluster.until(WORKFLOWS, "one", namespace, is_ready)
    runs = [a_run(f"run-{number}", namespace, "one") for number in range(count)]
    await fleet.all_of([partial(cluster.create, run) for run in runs], "WorkflowRuns created")

    async def all_have_jobs() -> bool:
        if not operator.running:
            raise RuntimeError(f"the operator ended; see {operator.log}")
        return len(await cluster.list(JOBS, namespace)) == count

    async def some_run() -> bool:
        return len(await running(cluster, namespace)) >= ENDING

    await eventually(all_have_jobs, within=300, every=1.0, what="every Job")
    await eventually(some_run, within=300, every=1.0, what="some pods that run")


async def running(cluster: Cluster, namespace: str) -> list[str]:
    """The Jobs of which a pod runs."""
    return [
        pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
        for pod in await cluster.list(PODS, namespace)
        if pod["status"].get("phase") == "Running"
    ]


async def some_end(cluster: Cluster, kubectl: Kube, namespace: str) -> list[str]:
    """Tell some pods to end, and return the runs of their Jobs once these are complete."""
    chosen = (await running(cluster, namespace))[:ENDING]
    for pod in await cluster.list(PODS, namespace):
        if pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] in chosen:
            name = pod["metadata"]["name"]
            # Whether it succeeds says nothing: the command ends with its container.
            await asyncio.to_thread(kubectl.succeeds, "exec", f"--namespace={namespace}", name, "--", *END)

    async def complete() -> list[str]:
        jobs = [job for job in await cluster.list(JOBS, namespace) if job["metadata"]["name"] in chosen]
        done = [job for job in jobs if job.get("status", {}).get("succeeded")]
        return [job["metadata"]["labels"][RUN_LABEL] for job in done] if len(done) == len(chosen) else []

    return await eventually(complete, within=120, every=0.5, what="the end of the Jobs")


async def recorded(cluster: Cluster, namespace: str, wanted: list[str]) -> bool:
    """Whether the status of each of the runs says that it succeeded."""
    statuses = [run.get("status") or {} for run in await cluster.list(WORKFLOW_RUNS, namespace)]
    phases = {status.get("runId"): status.get("phase") for status in statuses}
    return all(phases.get(run) == "Succeeded" for run in wanted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    arguments = parser.parse_args()
    figures = asyncio.run(main(arguments.count, arguments.state, image_on(arguments.state)))
    show(figures, f"python -m benchmarks.recovery --count {arguments.count}")
