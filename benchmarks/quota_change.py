"""One change of a Quota that 500 Workspaces refer to: how soon each of them has the new limit.

    python -m benchmarks.quota_change [--count 500]

Goal: 15 s from the request that changes the Quota until every ResourceQuota has the new value, seen by listing them.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from benchmarks import fleet, identities
from benchmarks.report import Figure, show
from headgate.cluster.client import KubeClient
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import RESOURCE_QUOTA
from tests.builders import a_quota, a_workspace
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

BEFORE, AFTER = "50", "51"


async def main(count: int, state: Path) -> list[Figure]:
    """Make them, change the plan, and clean up."""
    kubeconfig, _ = identities.operator(state)
    log = (state / "logs" / "benchmark-operator.log").resolve()
    operator = OperatorProcess(kubeconfig, log, extra={"HEADGATE_LEASE_DURATION_SECONDS": "15"})
    kube = fleet.client(identities.script(state))
    names = fleet.names("change", count)
    plan = a_quota(names[0])
    try:
        await kube.apply(QUOTAS, plan.with_compute(pods=BEFORE).manifest())
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await fleet.create_all(kube, WORKSPACES, [a_workspace(n).with_quota(names[0]) for n in names], "Workspaces")
        await fleet.until_ready(kube, WORKSPACES, count, names[0].rpartition("-")[0], within=300, every=1.0)
        before = operator.writes()
        started = time.monotonic()
        await kube.apply(QUOTAS, plan.with_compute(pods=AFTER).manifest())
        await eventually(lambda: all_have(kube, set(names), AFTER), within=120, every=0.2, what="the new limit")
        took = time.monotonic() - started
        after = operator.writes()
        written = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
        print(f"{count} ResourceQuotas with the new value after {took:.2f} s; writes until then: {written}")
        return [Figure(f"a change of a Quota in place for {count} Workspaces", took, "s", 15, "lower")]
    finally:
        await fleet.remove(kube, names, [names[0]])
        operator.stop()
        await kube.aclose()


async def all_have(kube: KubeClient, namespaces: set[str], pods: str) -> bool:
    """Whether the ResourceQuotas of all these namespaces have the value."""
    having = 0
    async for item in fleet.listed(kube, RESOURCE_QUOTA, labels="app.kubernetes.io/managed-by=headgate"):
        having += item["metadata"]["namespace"] in namespaces and item["spec"]["hard"].get("pods") == pods
    return having == len(namespaces)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    arguments = parser.parse_args()
    show(
        asyncio.run(main(arguments.count, arguments.state)),
        f"python -m benchmarks.quota_change --count {arguments.count}",
    )
