"""Kopf's watches, configured so that Kopf itself never writes to the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import kopf

from headgate.cluster.client import PAGE
from headgate.cluster.connection import Connection
from headgate.cluster.resources import FEW
from headgate.desired.keys import ApiResource
from headgate.handlers.routing import Router
from headgate.handlers.stateless import NoDiffBase, NoProgress

PREFIX = "headgate.dev"
WORKERS = 8
"""Objects of a kind that Kopf looks at at the same time. Without a limit it looks at all that a list holds: each step
of everything else in the process then waits for thousands of Kopf's.
"""
IDLE_SECONDS = 0.01
"""How long one of them then waits for another event of its object. They are not to be had by others meanwhile."""


async def watch(connection: Connection, router: Router, *, spawned: Callable[[], None]) -> None:
    """Watch Workspaces and Quotas until cancelled. Raises when a watch fails for good.

    ``spawned`` is called once Kopf has taken SIGTERM and SIGINT for itself, so that they can be taken back.
    """
    # Kopf's own runner takes every task that was started since for one of its own: in the end it waits five seconds for
    # them, and cancels them.
    tasks = await kopf.spawn_tasks(
        registry=registry(connection, router),
        settings=settings(),
        clusterwide=True,
        standalone=True,
    )
    spawned()
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()
    raise RuntimeError(f"Kopf ended by itself: {', '.join(task.get_name() for task in done)}")


def settings() -> kopf.OperatorSettings:
    """No Events, no finalizers, no annotations, no peering."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    chosen.persistence.finalizer = f"{PREFIX}/unused"
    chosen.persistence.progress_storage = NoProgress()
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.process.ultimate_exiting_timeout = None
    chosen.queueing.worker_limit = WORKERS
    chosen.queueing.idle_timeout = IDLE_SECONDS
    chosen.watching.chunk_size = PAGE
    # Watching for new kinds would take a right to list all definitions; ours exist before the watches start.
    chosen.scanning.disabled = True
    return chosen


def registry(connection: Connection, router: Router) -> kopf.OperatorRegistry:
    """One handler for each of the two kinds."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection.for_kopf()

    for resource in FEW:
        on_event(handlers, resource, router)
    return handlers


def on_event(handlers: kopf.OperatorRegistry, resource: ApiResource, router: Router) -> None:
    """Have the router told of the kind's events."""
    handler = _handler(resource, router)
    kopf.on.event(resource.group, resource.version, resource.plural, registry=handlers, id=resource.plural)(handler)


def _handler(resource: ApiResource, router: Router) -> Callable[..., Any]:
    async def handle(*, event: kopf.RawEvent, **_: Any) -> None:
        item: Any = event["object"]
        if event["type"] == "DELETED":
            router.deleted(resource, item)
        else:
            router.changed(resource, item)

    return handle
