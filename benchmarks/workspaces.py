"""200 Workspaces created at once: how many a second are ready with all their children, beside a bare script.

    python -m benchmarks.workspaces [--count 200] [--without-members]

Each has an owner, and so ten children; without members, and with an address that it may reach, it has eight.

Goals: 40 Workspaces a second or more (DESIGN, section 10), at least 80 % of the rate at which a bare script with the
same concurrency makes the same objects in the same run, and no write on a restart over them. The bare scripts go
first, while no operator runs: one as most people would write it, with the official client for Python, and one with the
operator's own client, which spends a fraction of the time and so shows what the API server takes at most. The time of
ours runs from the first request that creates a Workspace. All children are in place when the API server answered the
operator's request for the last of them: its audit log says when, and listing afterwards that none is missing. Ready
comes later: when the cluster also counts what the ResourceQuotas limit, and the last status is written.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import bare, fleet, identities, official
from benchmarks.report import Figure, show
from headgate.cluster.client import KubeClient
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import CHILD_KINDS
from headgate.desired.manifest import Manifest
from tests.builders import QuotaBuilder, WorkspaceBuilder, a_quota, a_workspace
from tests.support.audit import last_write
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class AuditLog:
    """What the API server notes of the operator's requests."""

    path: Path
    user: str

    def last_write(self, resources: Collection[str], since: datetime) -> datetime:
        """When the last of the operator's writes to one of these was answered."""
        return last_write(self.path, resources, since, by=self.user)


async def main(count: int, state: Path, tenant: Callable[[str, QuotaBuilder], WorkspaceBuilder]) -> list[Figure]:
    """Create, measure, restart, measure, and clean up."""
    kubeconfig, user = identities.operator(state)
    operator = OperatorProcess(kubeconfig, (state / "logs" / "benchmark-operator.log").resolve())
    kube = fleet.client(identities.script(state))
    names = fleet.names("bench", count)
    plan = a_quota(names[0])
    tenants = [tenant(name, plan) for name in names]
    official_objects, objects = (
        twins([tenant(name, plan) for name in fleet.names(kind, count)], plan) for kind in ("official", "bare")
    )
    children = len(objects) // count
    try:
        await fleet.until_quiet(kube)
        official_seconds = await asyncio.to_thread(official.make, identities.script(state), official_objects)
        print(f"official client: {children} objects for each of {count} in {official_seconds:.2f} s", flush=True)
        await bare.until_settled(kube)
        await fleet.until_quiet(kube)
        bare_seconds = await bare.make(kube, objects)
        print(f"the operator's own client: as many in {bare_seconds:.2f} s", flush=True)
        await bare.until_settled(kube)
        audit_log = AuditLog(state / "logs" / "audit.log", user)
        ours = await measure(kube, operator, tenants, plan, children, audit_log)
        await asyncio.sleep(SETTLE_SECONDS)
        operator.stop()
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await asyncio.sleep(SETTLE_SECONDS)
        restart_writes = operator.writes()
        print(f"writes in the {SETTLE_SECONDS:g} s after a restart: {restart_writes or 0}")
        ours_seconds = count / ours[0].value
        return [
            *ours,
            Figure(
                "rate of the script with the official client", 100 * official_seconds / ours_seconds, "%", 80, "higher"
            ),
            Figure("rate of the script with our own client", 100 * bare_seconds / ours_seconds, "%", 80, "higher"),
            Figure("writes on a restart over them", sum(restart_writes.values()), "writes", 0, "lower"),
        ]
    finally:
        await fleet.remove(kube, names, [plan.model().metadata.name])
        await bare.remove(kube, [*official_objects, *objects])
        operator.stop()
        await kube.aclose()


def twins(tenants: Iterable[WorkspaceBuilder], plan: QuotaBuilder) -> list[Manifest]:
    """What the operator would make for these Workspaces, which do not exist."""
    return bare.manifests([tenant.with_metadata(uid="none").model() for tenant in tenants], plan.model())


async def measure(
    kube: KubeClient,
    operator: OperatorProcess,
    tenants: list[WorkspaceBuilder],
    plan: QuotaBuilder,
    children: int,
    audit_log: AuditLog,
) -> list[Figure]:
    """Create them all, and see how soon the children are in place and the Workspaces Ready."""
    names = [tenant.manifest()["metadata"]["name"] for tenant in tenants]
    count = len(names)
    await kube.apply(QUOTAS, plan.manifest())
    await asyncio.to_thread(lambda: operator.start().wait_until_leading())
    cpu_before = operator.metric("process_cpu_seconds_total")
    started = datetime.now(UTC)
    created = await fleet.create_all(kube, WORKSPACES, tenants, "Workspaces")
    # Asked seldom, as asking takes time from what is measured: the audit log says afterwards when it was.
    await eventually(lambda: all_made(operator, count * children), within=120, every=0.5, what="every child")
    await fleet.until_ready(kube, WORKSPACES, count, names[0].rpartition("-")[0], within=120, every=0.5)
    made = audit_log.last_write({kind.plural for kind in CHILD_KINDS}, started)
    ready = audit_log.last_write({f"{WORKSPACES.plural}/status"}, started)
    in_place, took = (made - started).total_seconds(), (ready - started).total_seconds()
    cpu = operator.metric("process_cpu_seconds_total") - cpu_before
    found = await count_children(kube)
    short = {name: found[name] for name in names if found[name] < children}
    if short:
        raise AssertionError(f"Workspaces that are Ready without {children} children: {short}")
    writes = sum(operator.writes().values())
    print(
        f"{count} Workspaces created in {created:.2f} s, all {children} children each in place after {in_place:.2f} s,"
        f" all Ready after {took:.2f} s; writes of ours: {writes:.0f}"
    )
    print(f"processor time of the operator: {cpu:.2f} s, {cpu / count * 1000:.1f} ms a Workspace")
    return [
        Figure(f"Workspaces a second, all {children} children in place", count / in_place, "/s", 40, "higher"),
        Figure("Workspaces a second, Ready", count / took, "/s", 40, "higher"),
    ]


def with_an_owner(name: str, plan: QuotaBuilder) -> WorkspaceBuilder:
    """A Workspace with ten children."""
    return a_workspace(name).with_quota(plan.model().metadata.name).with_member("owner", "User", "alice")


def without_members(name: str, plan: QuotaBuilder) -> WorkspaceBuilder:
    """A Workspace with eight children."""
    return a_workspace(name).with_quota(plan.model().metadata.name).with_egress("203.0.113.0/24", {"port": 443})


async def all_made(operator: OperatorProcess, wanted: int) -> bool:
    """Whether the operator was told of so many children that they are there."""
    answered = re.compile(r'headgate_kubernetes_requests_total\{code="20[01]",resource="(\w+)",verb="(?:APPLY|POST)"\}')
    children = {kind.plural for kind in CHILD_KINDS}
    samples = (await asyncio.to_thread(operator.metrics)).items()
    return sum(v for name, v in samples if (found := answered.match(name)) and found[1] in children) >= wanted


async def count_children(kube: KubeClient) -> Counter[str]:
    """Children by workspace, as the API server has them."""
    found: Counter[str] = Counter()
    for kind in CHILD_KINDS:
        async for item in fleet.listed(kube, kind, labels="app.kubernetes.io/managed-by=headgate"):
            found[item["metadata"]["labels"]["headgate.dev/workspace"]] += 1
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--without-members", action="store_true", help="eight children each instead of ten")
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    arguments = parser.parse_args()
    shape = without_members if arguments.without_members else with_an_owner
    show(
        asyncio.run(main(arguments.count, arguments.state, shape)),
        f"python -m benchmarks.workspaces --count {arguments.count}"
        + (" --without-members" if arguments.without_members else ""),
    )
