"""200 Workspaces created at once: how many a second are ready with all their children, beside a bare script.

    python -m benchmarks.workspaces [--count 200] [--rounds 3] [--without-members]

Each has an owner, and so ten children; without members, and with an address that it may reach, it has eight.

Goals: 40 Workspaces a second or more (DESIGN, section 10), at least 80 % of the rate at which a bare script with the
same concurrency makes the same objects in the same run, and no write on a restart over them. There are two bare
scripts: one as most people would write it, with the official client for Python, and one with the operator's own client,
which spends a fraction of the time and so shows what the API server takes at most.

Each of the three has the cluster to itself and finds it without what the others made: the API server looks at every
ClusterRoleBinding for each request that it lets through, so who comes last in a full cluster pays for those before.
Whoever begins a round is last in the next, and medians are told, as a machine is not as fast at one time as at another.

The time of ours runs from the first request that creates a Workspace. All children are in place when the API server
answered the operator's request for the last of them: its audit log says when, and listing afterwards that none is
missing. Ready comes later: when the cluster also counts what the ResourceQuotas limit, and the last status is written.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import bare, fleet, identities, official
from benchmarks.report import Figure, show
from headgate.cluster.client import KubeClient
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import CHILD_KINDS, CLUSTER_ROLE_BINDING
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


@dataclass(frozen=True)
class Took:
    """Seconds from the first request on, and how many writes a restart over them made."""

    in_place: float
    ready: float
    restart_writes: float = 0


@dataclass(frozen=True)
class Contest:
    """Who makes the objects of so many tenants, one after the other in a cluster that has none of them."""

    count: int
    state: Path
    tenant: Callable[[str, QuotaBuilder], WorkspaceBuilder]
    kube: KubeClient
    operator: OperatorProcess
    audit_log: AuditLog

    async def official(self) -> Took:
        """The script with the official client."""
        return await self._scripted(
            "official", lambda objects: asyncio.to_thread(official.make, identities.script(self.state), objects)
        )

    async def bare(self) -> Took:
        """The script with the operator's own client."""
        return await self._scripted("bare", partial(bare.make, self.kube))

    async def ours(self) -> Took:
        """The operator, which is started once more over what it made."""
        names = fleet.names("bench", self.count)
        plan = a_quota(names[0])
        tenants = [self.tenant(name, plan) for name in names]
        children = len(twins(tenants[:1], plan))
        try:
            took = await measure(self.kube, self.operator, tenants, plan, children, self.audit_log)
            await asyncio.sleep(SETTLE_SECONDS)
            self.operator.stop()
            await asyncio.to_thread(lambda: self.operator.start().wait_until_leading())
            await asyncio.sleep(SETTLE_SECONDS)
            if writes := self.operator.writes():
                print(f"writes in the {SETTLE_SECONDS:g} s after a restart: {writes}")
            return replace(took, restart_writes=sum(writes.values()))
        finally:
            await fleet.remove(self.kube, names, [plan.model().metadata.name])
            await self._gone(names)
            self.operator.stop()

    async def _scripted(self, kind: str, make: Callable[[Sequence[Manifest]], Awaitable[float]]) -> Took:
        names = fleet.names(kind, self.count)
        plan = a_quota(names[0])
        objects = twins([self.tenant(name, plan) for name in names], plan)
        try:
            seconds = await make(objects)
            await bare.until_settled(self.kube)
        finally:
            await bare.remove(self.kube, objects)
            await self._gone(names)
        return Took(seconds, seconds)

    async def _gone(self, names: Collection[str]) -> None:
        """Return when nothing of these is left, and the cluster does no more work with them."""
        await fleet.until_quiet(self.kube)

        async def unbound() -> bool:
            found = [
                item async for item in fleet.listed(self.kube, CLUSTER_ROLE_BINDING, labels="headgate.dev/workspace")
            ]
            return not any(item["metadata"]["labels"]["headgate.dev/workspace"] in names for item in found)

        await eventually(unbound, within=120, every=1.0, what="the end of the ClusterRoleBindings")


async def main(
    count: int, rounds: int, state: Path, tenant: Callable[[str, QuotaBuilder], WorkspaceBuilder]
) -> list[Figure]:
    """Let each make them once a round, and compare the medians."""
    kubeconfig, user = identities.operator(state)
    operator = OperatorProcess(kubeconfig, (state / "logs" / "benchmark-operator.log").resolve())
    kube = fleet.client(identities.script(state))
    contest = Contest(count, state, tenant, kube, operator, AuditLog(state / "logs" / "audit.log", user))
    order = [("official client", contest.official), ("own client", contest.bare), ("operator", contest.ours)]
    took: dict[str, list[Took]] = {name: [] for name, _ in order}
    try:
        await fleet.until_quiet(kube)
        for number in range(rounds):
            for name, make in order[number % len(order) :] + order[: number % len(order)]:
                took[name].append(await make())
                print(f"round {number + 1}, {name}: {count} in place after {took[name][-1].in_place:.2f} s", flush=True)
    finally:
        await kube.aclose()
    in_place = {name: median(each.in_place for each in times) for name, times in took.items()}
    ready = median(each.ready for each in took["operator"])
    return [
        Figure("Workspaces a second, all children in place", count / in_place["operator"], "/s", 40, "higher"),
        Figure("Workspaces a second, Ready", count / ready, "/s", 40, "higher"),
        *(
            Figure(
                f"rate of the script with the {name}", 100 * in_place[name] / in_place["operator"], "%", 80, "higher"
            )
            for name in ("official client", "own client")
        ),
        Figure(
            "writes on a restart over them", max(each.restart_writes for each in took["operator"]), "writes", 0, "lower"
        ),
    ]


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
) -> Took:
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
    return Took(in_place, took)


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
    parser.add_argument("--rounds", type=int, default=3, help="how often each makes them")
    parser.add_argument("--without-members", action="store_true", help="eight children each instead of ten")
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    arguments = parser.parse_args()
    shape = without_members if arguments.without_members else with_an_owner
    show(
        asyncio.run(main(arguments.count, arguments.rounds, arguments.state, shape)),
        f"python -m benchmarks.workspaces --count {arguments.count} --rounds {arguments.rounds}"
        + (" --without-members" if arguments.without_members else ""),
    )
