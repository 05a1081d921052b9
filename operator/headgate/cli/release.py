"""``headgate release``: takes Headgate's finalizers off, so that uninstalling leaves nothing that cannot be deleted."""

from __future__ import annotations

import asyncio
import os

import typer
from prometheus_client import CollectorRegistry

from headgate.cluster.client import KubeClient
from headgate.cluster.connection import connect
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import WORKSPACES
from headgate.reconcile.teardown import FINALIZER


def release() -> None:
    """Take Headgate's finalizers off all Workspaces. The operator puts them on again where it runs."""
    typer.echo(f"finalizers taken off {asyncio.run(_release())} Workspaces")


async def _release() -> int:
    kube = KubeClient(connect(os.environ.get("HEADGATE_KUBECONFIG")), KubeClient.counter(CollectorRegistry()))
    released = 0
    try:
        async for page in kube.list_pages(WORKSPACES):
            for item in page["items"]:
                kept = [name for name in item["metadata"].get("finalizers", ()) if name != FINALIZER]
                if len(kept) == len(item["metadata"].get("finalizers", ())):
                    continue
                await kube.merge_patch(WORKSPACES, item["metadata"]["name"], "", {"metadata": {"finalizers": kept}})
                released += 1
    except ApiError as error:
        if not error.is_not_found:
            raise
    finally:
        await kube.aclose()
    return released
