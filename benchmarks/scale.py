"""1,000 Workspaces and 10,000 Workflows: the operator's memory, its writes while idle, and a restart over them.

    python -m benchmarks.scale [--workspaces 1000] [--workflows 10000] [--keep]

Goals (DESIGN, section 10): 250 MB of memory; ready 30 s after a restart; no write while idle, none after the restart.
No pod runs. The operator has a database, so that every Workflow is recorded too. MB are 10^6 bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Coroutine
from pathlib import Path

from benchmarks import fleet, identities
from benchmarks.report import Figure, show
from hack.postgres import RUNTIME, Server
from headgate.cluster.client import KubeClient
from headgate.cluster.listing import selector
from headgate.cluster.resources import QUOTAS, WORKFLOWS, WORKSPACES
from headgate.desired.keys import RESOURCE_QUOTA
from headgate.store import migrate
from tests.builders import a_quota, a_workflow, a_workspace, container
from tests.support.databases import create_database, drop_database
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import eventually

IDLE_SECONDS = 60.0
QUIET_SECONDS = 10.0
MEGABYTE = 1_000_000
COUNTED = f"count/{WORKFLOWS.plural}.{WORKFLOWS.group}"


async def main(workspaces: int, workflows: int, state: Path, *, keep: bool) -> list[Figure]:
    """Make them, measure, restart, measure, and clean up."""
    kubeconfig, _ = identities.operator(state)
    kube = fleet.client(identities.script(state))
    database = create_database(Server(state, durable=False).up())
    migrate.upgrade(database.migration_url, runtime_login=RUNTIME)
    log = (state / "logs" / "benchmark-operator.log").resolve()
    operator = OperatorProcess(kubeconfig, log, database.url, extra={"HEADGATE_LEASE_DURATION_SECONDS": "15"})
    names = fleet.names("scale", workspaces)
    try:
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        await watched(operator, fill(kube, names, workflows))
        await until_quiet(operator)
        figures = [memory(operator, "after making them all")]
        figures.append(await idle(operator, "idle"))
        operator.stop()
        started = time.monotonic()
        await asyncio.to_thread(lambda: operator.start().wait_until_leading())
        ready = time.monotonic() - started
        await eventually(lambda: drained(operator), within=300, every=0.2, what="the end of the queue")
        print(f"ready {ready:.2f} s after a restart, every object looked at after {time.monotonic() - started:.2f} s")
        figures.append(Figure("ready after a restart", ready, "s", 30, "lower"))
        figures.append(await idle(operator, "after the restart", since_start=True))
        figures.append(memory(operator, "after the restart"))
        return figures
    finally:
        if not keep:
            await fleet.remove(kube, names, [names[0]])
        operator.stop()
        await kube.aclose()
        if not keep:
            drop_database(database)


async def watched(operator: OperatorProcess, work: Coroutine[None, None, None]) -> None:
    """Do the work. Raises as soon as the operator ends, for what it leaves undone would be waited for in vain."""
    task = asyncio.create_task(work)
    while not task.done():
        if not operator.running:
            task.cancel()
            raise RuntimeError(f"the operator ended with {operator.process.returncode}; see {operator.log}")
        await asyncio.wait([task], timeout=1.0)
    await task


async def fill(kube: KubeClient, names: list[str], workflows: int) -> None:
    """Make the plan, the Workspaces and, once they are Ready, the Workflows, and wait until these are Ready too."""
    prefix = names[0].rpartition("-")[0]
    await kube.apply(QUOTAS, a_quota(names[0]).with_limits(maxWorkflows=1000).manifest())
    tenants = [a_workspace(name).with_quota(names[0]).with_member("owner", "User", "alice") for name in names]
    started = time.monotonic()
    await fleet.create_all(kube, WORKSPACES, tenants, "Workspaces")
    await fleet.until_ready(kube, WORKSPACES, len(names), prefix, within=600, every=2.0)
    print(f"{len(names)} Workspaces Ready after {time.monotonic() - started:.1f} s", flush=True)
    work = container()
    # One namespace after the other, as the API server counts the Workflows of a namespace one by one.
    wanted = [
        a_workflow(f"flow-{number // len(names)}", names[number % len(names)])
        .with_schedule("yearly", "0 0 29 2 *")
        .with_node("first", work)
        .with_node("second", work, after=["first"])
        for number in range(workflows)
    ]
    started = time.monotonic()
    await fleet.create_all(kube, WORKFLOWS, wanted, "Workflows")
    await fleet.until_ready(kube, WORKFLOWS, workflows, prefix, within=900, every=5.0)
    print(f"{workflows} Workflows Ready after {time.monotonic() - started:.1f} s", flush=True)
    await until_counted(kube, prefix, workflows)


async def until_counted(kube: KubeClient, prefix: str, workflows: int) -> None:
    """Return when the cluster has counted all Workflows.

    What many requests at once made it count wrong it sets right within five minutes, and statuses tell it.
    """

    async def all_are() -> bool:
        counted = 0
        async for page in kube.list_pages(RESOURCE_QUOTA, labels=selector(RESOURCE_QUOTA)):
            ours = [item for item in page["items"] if item["metadata"]["namespace"].startswith(prefix)]
            counted += sum(int(item.get("status", {}).get("used", {}).get(COUNTED, 0)) for item in ours)
        return counted == workflows

    started = time.monotonic()
    await eventually(all_are, within=600, every=5.0, what="the count of all Workflows")
    print(f"counted by the cluster after {time.monotonic() - started:.1f} s more", flush=True)


async def drained(operator: OperatorProcess) -> bool:
    """Whether nothing waits to be reconciled."""
    return (await asyncio.to_thread(operator.metric, "headgate_reconcile_queue_depth")) == 0


async def until_quiet(operator: OperatorProcess) -> None:
    """Return when nothing was written for a while: the last changes of making them have been seen and answered."""
    last, since = sum(operator.writes().values()), time.monotonic()

    async def quiet() -> bool:
        nonlocal last, since
        now = sum((await asyncio.to_thread(operator.writes)).values())
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since >= QUIET_SECONDS

    await eventually(quiet, within=300, every=1.0, what=f"{QUIET_SECONDS:g} s without a write")


async def idle(operator: OperatorProcess, when: str, *, since_start: bool = False) -> Figure:
    """What is written while nobody asks for anything; also what was written since the process started."""
    before = {} if since_start else operator.writes()
    await asyncio.sleep(IDLE_SECONDS)
    after = operator.writes()
    written = {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
    if written:
        print(f"written {when}: {written}")
    return Figure(f"writes {when}, {IDLE_SECONDS:g} s", sum(written.values()), "writes", 0, "lower")


def memory(operator: OperatorProcess, when: str) -> Figure:
    """The peak of what the operator's process held; what it holds now is printed."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    held = {
        name: int(kilobytes) * 1024 / MEGABYTE for name, kilobytes in re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", status)
    }
    print(f"memory {when}: {held['VmRSS']:.0f} MB now, {held['VmHWM']:.0f} MB at its peak", flush=True)
    return Figure(f"peak of the operator's memory {when}", held["VmHWM"], "MB", 250, "lower")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspaces", type=int, default=1000)
    parser.add_argument("--workflows", type=int, default=10_000)
    parser.add_argument("--keep", action="store_true", help="leave the objects and the database where they are")
    parser.add_argument("--state", type=Path, default=Path(".local/test"))
    given = parser.parse_args()
    figures = asyncio.run(main(given.workspaces, given.workflows, given.state, keep=given.keep))
    show(figures, f"python -m benchmarks.scale --workspaces {given.workspaces} --workflows {given.workflows}")
