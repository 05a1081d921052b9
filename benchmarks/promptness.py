"""How soon a run says why it waits, a bad Workflow what is wrong, and a child that was deleted or changed is back.

    python -m benchmarks.promptness [--rounds 3]

Goal: 5 s each, the slowest of all (the tenancy issue; what waits, the first one's). One at a time, so that it is the
operator that is timed and not the machine. That 2,000 generated objects are told of as soon is printed by
`python -m hack.test tests/cluster/test_generated_objects.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from benchmarks import fleet, identities
from benchmarks.report import Figure, show
from benchmarks.runs import image_on
from hack.postgres import RUNTIME, Server
from headgate.cluster.client import Object
from headgate.cluster.resources import WORKFLOW_RUNS, WORKFLOWS
from headgate.desired.keys import CHILD_KINDS, NAMESPACE, ApiResource
from headgate.store import migrate
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, is_ready, not_ready_because, unique
from tests.support.databases import create_database, drop_database
from tests.support.operator_process import OperatorProcess
from tests.support.shell import shell
from tests.support.stuck import WAITING

PROMPT_SECONDS = 5.0
MANAGED = "app.kubernetes.io/managed-by"


async def main(rounds: int, state: Path, image: str) -> list[Figure]:
    """Ask for each thing so often, one after the other; the slowest answers."""
    kubeconfig, _ = identities.operator(state)
    kube = fleet.client(identities.script(state))
    cluster = Cluster(kube, image)
    database = create_database(Server(state, durable=False).up())
    migrate.upgrade(database.migration_url, runtime_login=RUNTIME)
    log = (state / "logs" / "benchmark-operator.log").resolve()
    operator = OperatorProcess(kubeconfig, log, database.url, extra={"HEADGATE_LEASE_DURATION_SECONDS": "15"})
    name = unique("bench")
    try:
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        # More than the node has, so that it is the scheduler who says no, and not the quota.
        await cluster.apply(a_quota(name).with_compute(**{"requests.cpu": "2000", "limits.cpu": "2000"}))
        rich = a_workspace(name).with_quota(name).with_egress("203.0.113.0/24")
        for role in ("owner", "editor", "viewer"):
            rich = rich.with_member(role, "User", f"{role}-of-{name}")
        await cluster.ready_workspace(rich)
        seen: dict[str, list[float]] = {}
        for number in range(rounds):
            for measure in (why_it_waits, what_is_wrong, back_again):
                async for what, seconds in measure(cluster, name, number):
                    seen.setdefault(what, []).append(seconds)
        return [
            Figure(f"{what}, slowest of {len(all_)}", max(all_), "s", PROMPT_SECONDS, "lower")
            for what, all_ in seen.items()
        ]
    finally:
        operator.stop()
        await cluster.remove(workspaces=(name,), quotas=(name,))
        await cluster.until_gone(NAMESPACE, name, within=120)
        await kube.aclose()
        drop_database(database)


async def why_it_waits(cluster: Cluster, namespace: str, number: int) -> AsyncIterator[tuple[str, float]]:
    """From asking for a run until it says why it waits."""
    for place, (case, stuck) in enumerate(WAITING.items()):
        name = f"stuck-{number}-{place}"
        await cluster.apply(a_workflow(name, namespace).with_node("stuck", stuck.node(cluster), after=["by-hand"]))
        await cluster.until(WORKFLOWS, name, namespace, is_ready)
        await cluster.apply(a_run(name, namespace, name))
        yield case, await passed(cluster, WORKFLOW_RUNS, name, namespace, not_ready_because(stuck.reason))
        await cluster.kube.delete(WORKFLOW_RUNS, name, namespace)


async def what_is_wrong(cluster: Cluster, namespace: str, number: int) -> AsyncIterator[tuple[str, float]]:
    """From asking for a Workflow whose schedule never fires until it says so."""
    never = a_workflow(f"never-{number}", namespace).with_schedule("never", "0 0 31 2 *")
    await cluster.apply(never.with_node("x", shell(cluster, "true"), after=["never"]))
    seconds = await passed(cluster, WORKFLOWS, f"never-{number}", namespace, not_ready_because("InvalidSchedule"))
    yield "a schedule that never fires", seconds


async def back_again(cluster: Cluster, workspace: str, _: int) -> AsyncIterator[tuple[str, float]]:
    """From deleting a child, or taking its label away, until it is as before."""
    for kind in CHILD_KINDS:
        for child in await cluster.list(kind, "", f"{MANAGED}=headgate,headgate.dev/workspace={workspace}"):
            name, namespace, uid = (child["metadata"].get(key, "") for key in ("name", "namespace", "uid"))
            await cluster.kube.merge_patch(kind, name, namespace, {"metadata": {"labels": {MANAGED: None}}})
            yield (
                "a label that was taken away",
                await passed(
                    cluster, kind, name, namespace, lambda back: back["metadata"]["labels"].get(MANAGED) == "headgate"
                ),
            )
            if kind is not NAMESPACE:
                await cluster.kube.delete(kind, name, namespace)
                another = another_than(uid)
                yield "a child that was deleted", await passed(cluster, kind, name, namespace, another)


def another_than(uid: str) -> Callable[[Object], bool]:
    """Whether an object is another one than that."""
    return lambda item: item["metadata"]["uid"] != uid


async def passed(
    cluster: Cluster, kind: ApiResource, name: str, namespace: str, true: Callable[[Object], bool]
) -> float:
    """The seconds from now until it is true of the object."""
    started = time.monotonic()
    await cluster.until(kind, name, namespace, true, within=60)
    return time.monotonic() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    arguments = parser.parse_args()
    figures = asyncio.run(main(arguments.rounds, arguments.state, image_on(arguments.state)))
    show(figures, f"python -m benchmarks.promptness --rounds {arguments.rounds}")
