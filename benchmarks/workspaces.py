"""200 Workspaces created at once: how many a second are ready with all their children.

    python -m benchmarks.workspaces [--count 200]

Goals (DESIGN, section 10): 40 Workspaces a second or more with 8 children each, no write on a restart over them.
The time runs from the first request that creates a Workspace. All children are in place when the API server answered
the operator's request for the last of them, which is checked by listing afterwards. Ready comes later: when the cluster
also counts what the ResourceQuotas limit, and the status is written.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections import Counter
from pathlib import Path

from prometheus_client import CollectorRegistry

from benchmarks.report import Figure, show
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import connect
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import CHILD_KINDS, NAMESPACE
from tests.builders import a_quota, a_workspace
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

CHILDREN = 8
SETTLE_SECONDS = 10.0


async def main(count: int, kubeconfig: Path, operator: OperatorProcess) -> list[Figure]:
    """Create, measure, restart, measure, and clean up."""
    kube = KubeClient(connect(str(kubeconfig)), KubeClient.counter(CollectorRegistry()), concurrency=64)
    prefix = f"bench-{int(time.time()) % 100000}-"
    names = [f"{prefix}{number:04d}" for number in range(count)]
    try:
        await kube.apply(QUOTAS, a_quota("bench").manifest())
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        cpu_before = operator.metric("process_cpu_seconds_total")
        started = time.monotonic()
        workspaces = [a_workspace(name).with_quota("bench").with_member("owner", "User", "alice") for name in names]
        await asyncio.gather(*(kube.create(WORKSPACES, workspace.manifest()) for workspace in workspaces))
        created = time.monotonic() - started
        await eventually(lambda: all_made(operator, count), within=120, every=0.05, what="every child")
        in_place = time.monotonic() - started
        await eventually(lambda: all_ready(kube, prefix, count), within=120, every=0.2, what="every Workspace Ready")
        took = time.monotonic() - started
        cpu = operator.metric("process_cpu_seconds_total") - cpu_before
        children = await count_children(kube, prefix)
        short = {name: children[name] for name in names if children[name] < CHILDREN}
        if short:
            raise AssertionError(f"Workspaces that are Ready without {CHILDREN} children: {short}")
        writes = sum(operator.writes().values())
        print(
            f"{count} Workspaces created in {created:.2f} s, all children in place after {in_place:.2f} s,"
            f" all Ready after {took:.2f} s; writes of ours: {writes:.0f}"
        )
        print(f"processor time of the operator: {cpu:.2f} s, {cpu / count * 1000:.1f} ms a Workspace")
        await asyncio.sleep(SETTLE_SECONDS)
        operator.stop()
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await asyncio.sleep(SETTLE_SECONDS)
        restart_writes = operator.writes()
        print(f"writes in the {SETTLE_SECONDS:g} s after a restart: {restart_writes or 0}")
        return [
            Figure("Workspaces a second, all children in place", count / in_place, "/s", 40, "higher"),
            Figure("Workspaces a second, Ready", count / took, "/s", 40, "higher"),
            Figure("writes on a restart over them", sum(restart_writes.values()), "writes", 0, "lower"),
        ]
    finally:
        await clean_up(kube, names)
        operator.stop()
        await kube.aclose()


async def all_made(operator: OperatorProcess, count: int) -> bool:
    """Whether the operator was told of so many children that they are there."""
    answered = re.compile(r'headgate_kubernetes_requests_total\{code="20[01]",resource="(\w+)",verb="(?:APPLY|POST)"\}')
    children = {kind.plural for kind in CHILD_KINDS}
    samples = (await asyncio.to_thread(operator.metrics)).items()
    made = sum(value for name, value in samples if (found := answered.match(name)) and found[1] in children)
    return made >= count * CHILDREN


async def all_ready(kube: KubeClient, prefix: str, count: int) -> bool:
    """Whether all Workspaces of this run are Ready."""
    ready = 0
    async for page in kube.list_pages(WORKSPACES):
        for item in page["items"]:
            conditions = item.get("status", {}).get("conditions", [])
            ours = item["metadata"]["name"].startswith(prefix)
            ready += ours and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready == count


async def count_children(kube: KubeClient, prefix: str) -> Counter[str]:
    """Children by workspace, as the API server has them."""
    found: Counter[str] = Counter()
    for kind in CHILD_KINDS:
        async for page in kube.list_pages(kind, labels="app.kubernetes.io/managed-by=headgate"):
            for item in page["items"]:
                found[item["metadata"]["labels"]["headgate.dev/workspace"]] += 1
    return found


async def clean_up(kube: KubeClient, names: list[str]) -> None:
    """Delete the Workspaces and their namespaces."""
    for resource in (WORKSPACES, NAMESPACE):
        for result in await asyncio.gather(*(kube.delete(resource, n) for n in names), return_exceptions=True):
            if isinstance(result, BaseException) and not (isinstance(result, ApiError) and result.is_not_found):
                print(f"left behind: {result}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    arguments = parser.parse_args()
    config = (arguments.state / "kubeconfig").resolve()
    process = OperatorProcess(config, (arguments.state / "logs" / "benchmark-operator.log").resolve())
    show(
        asyncio.run(main(arguments.count, config, process)),
        f"python -m benchmarks.workspaces --count {arguments.count}",
    )
