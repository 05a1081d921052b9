"""Many Workspaces at once: made, waited for and taken away again, with what benchmarks of them share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from headgate.cluster.client import KubeClient, Object
from headgate.cluster.connection import connect
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import NAMESPACE, ApiResource
from tests.builders import Builder
from tests.support.cluster import is_ready
from tests.support.waiting import eventually

CONCURRENCY = 64
"""Requests at the same time, as many as the operator makes at most by default."""
_TELLS_EVERY_SECONDS = 10.0


def client(kubeconfig: Path) -> KubeClient:
    """A client with the administrator's identity."""
    return KubeClient(connect(str(kubeconfig)), KubeClient.counter(CollectorRegistry()), concurrency=CONCURRENCY)


def names(kind: str, count: int) -> list[str]:
    """Names that another run of a benchmark does not use."""
    prefix = f"{kind}-{int(time.time()) % 100000}"
    return [f"{prefix}-{number:04d}" for number in range(count)]


async def create_all(kube: KubeClient, resource: ApiResource, builders: Iterable[Builder[Any]], what: str) -> float:
    """Create objects at once, as far as the client's concurrency goes; the seconds that it took."""
    started = time.monotonic()
    work = [partial(kube.create, resource, builder.manifest()) for builder in builders]
    await all_of(work, f"{what} created")
    return time.monotonic() - started


async def all_of(work: Sequence[Callable[[], Awaitable[object]]], what: str) -> None:
    """Do all of it, with twice as many under way as there are connections, and say how far it is."""
    remaining = iter(work)
    done = 0
    told = time.monotonic()

    async def some() -> None:
        nonlocal done, told
        for item in remaining:
            await item()
            done += 1
            if time.monotonic() - told >= _TELLS_EVERY_SECONDS:
                told = time.monotonic()
                print(f"  {done} of {len(work)} {what}", flush=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(len(work), 2 * CONCURRENCY)):
            group.create_task(some())


async def until_ready(
    kube: KubeClient, resource: ApiResource, wanted: int, prefix: str, *, within: float, every: float = 0.2
) -> None:
    """Return when so many objects are Ready whose name, or whose namespace's, begins with the prefix."""
    told = time.monotonic()

    async def all_are() -> bool:
        nonlocal told
        ready = 0
        async for item in listed(kube, resource):
            metadata = item["metadata"]
            ready += metadata.get("namespace", metadata["name"]).startswith(prefix) and is_ready(item)
        if time.monotonic() - told >= _TELLS_EVERY_SECONDS:
            told = time.monotonic()
            print(f"  {ready} of {wanted} {resource.plural} Ready", flush=True)
        return ready == wanted

    await eventually(all_are, within=within, every=every, what=f"every {resource.kind} Ready")


async def until_quiet(kube: KubeClient) -> None:
    """Return when no namespace is being deleted any more: emptying one takes the API server some 40 requests."""

    async def none_is_going() -> bool:
        return not [item async for item in listed(kube, NAMESPACE) if item["metadata"].get("deletionTimestamp")]

    await eventually(none_is_going, within=300, every=1.0, what="the end of namespaces that were deleted")


async def listed(kube: KubeClient, resource: ApiResource, labels: str = "") -> AsyncIterator[Object]:
    """All objects of a kind, page by page."""
    async for page in kube.list_pages(resource, labels=labels):
        for item in page["items"]:
            yield item


async def remove(kube: KubeClient, workspaces: Sequence[str], quotas: Sequence[str] = ()) -> None:
    """Delete Workspaces, their namespaces and Quotas; the cluster empties the namespaces afterwards, by itself."""

    async def gone(resource: ApiResource, name: str) -> None:
        try:
            await kube.delete(resource, name)
        except ApiError as error:
            if not (error.is_not_found or error.is_conflict):
                print(f"left behind: {resource.kind} {name}: {error}")

    for resource, chosen in ((WORKSPACES, workspaces), (NAMESPACE, workspaces), (QUOTAS, quotas)):
        await all_of([partial(gone, resource, name) for name in chosen], f"{resource.plural} deleted")
