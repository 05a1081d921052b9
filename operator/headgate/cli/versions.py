"""Commands about versions: what a workflow was before, what changed, and going back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from headgate.api.workflow import WorkflowSpec
from headgate.cli.database import URL, complain, required
from headgate.cli.reading import reading
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.connection import connect
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import WORKFLOWS
from headgate.domain.spec_diff import difference
from headgate.engine.engine import Engine

T = TypeVar("T")
Which = Annotated[str, typer.Argument(metavar="NAMESPACE/WORKFLOW", help="The workflow.")]
Number = Annotated[int, typer.Argument(min=1, help="Number of a version.")]
Workspace = Annotated[
    str | None, typer.Option(help="Name of the Workspace; the one of which the namespace bears the name when absent.")
]


def versions(which: Which, workspace: Workspace = None) -> None:
    """List the versions of a workflow, the newest first."""
    namespace, name = _names(which)

    async def read(engine: Engine, workspace_id: UUID) -> Table:
        table = Table("VERSION", "CREATED", "CURRENT", "HASH", box=None)
        for item in await engine.versions.list(workspace_id, namespace, name):
            created = item.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            table.add_row(str(item.number), created, "*" if item.current else "", item.content_hash[:12])
        return table

    table = _read(workspace or namespace, read)
    if not table.row_count:
        raise typer.Exit(complain(f"there is no accepted workflow {which}"))
    Console(highlight=False).print(table)


def diff(which: Which, before: Number, after: Number, workspace: Workspace = None) -> None:
    """Show what changed between two versions of a workflow, as a unified diff of their specs."""
    namespace, name = _names(which)

    async def read(engine: Engine, workspace_id: UUID) -> tuple[WorkflowSpec, WorkflowSpec]:
        first = await _spec(engine, workspace_id, namespace, name, before)
        return first, await _spec(engine, workspace_id, namespace, name, after)

    old, new = _read(workspace or namespace, read)
    typer.echo(difference(old, new, f"{which} version {before}", f"{which} version {after}"), nl=False)


def rollback(which: Which, number: Number, workspace: Workspace = None) -> None:
    """Make the Workflow in the cluster what it was in a version.

    The object changes, so that Kubernetes and Git can be compared as ever; where it comes from Git, change it there.
    Whether it is suspended stays as it is. Acts as whoever HEADGATE_KUBECONFIG says, or else the usual kubeconfig.
    """
    namespace, name = _names(which)

    async def read(engine: Engine, workspace_id: UUID) -> WorkflowSpec:
        return await _spec(engine, workspace_id, namespace, name, number)

    spec = _read(workspace or namespace, read)
    try:
        asyncio.run(_write(namespace, name, spec))
    except ApiError as error:
        raise typer.Exit(complain(error.message)) from None
    typer.echo(f"{which} is what it was in version {number}")


def replaced(live: Object, spec: WorkflowSpec) -> Object:
    """The live Workflow with that spec; whether it is suspended stays, as that is no part of a version."""
    said = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, exclude={"suspend"})
    kept = {"suspend": live["spec"]["suspend"]} if "suspend" in live["spec"] else {}
    return {**live, "spec": {**said, **kept}}


async def _write(namespace: str, name: str, spec: WorkflowSpec) -> None:
    kube = KubeClient(connect(os.environ.get("HEADGATE_KUBECONFIG")), KubeClient.counter(CollectorRegistry()))
    try:
        live = await kube.get(WORKFLOWS, name, namespace)
        # Its resourceVersion is that of the one that was read: a change meanwhile is a conflict, and lost by nobody.
        await kube.replace(WORKFLOWS, replaced(live, spec))
    finally:
        await kube.aclose()


async def _spec(engine: Engine, workspace_id: UUID, namespace: str, name: str, number: int) -> WorkflowSpec:
    spec = await engine.versions.spec(workspace_id, namespace, name, number)
    if spec is None:
        raise typer.Exit(complain(f"{namespace}/{name} has no version {number}"))
    return spec


def _read(workspace: str, read: Callable[[Engine, UUID], Awaitable[T]]) -> T:
    async def reads() -> T:
        async with reading(required(URL)) as engine:
            workspace_id = await engine.workspaces.id_of(workspace)
            if workspace_id is None:
                raise typer.Exit(complain(f"there is no workspace {workspace} in the database; name it by --workspace"))
            return await read(engine, workspace_id)

    return asyncio.run(reads())


def _names(which: str) -> tuple[str, str]:
    namespace, slash, name = which.partition("/")
    if not (namespace and slash and name):
        raise typer.BadParameter(f"{which!r} is not NAMESPACE/WORKFLOW")
    return namespace, name
