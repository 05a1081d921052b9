"""``headgate node-logs``: what an attempt wrote, from where it is kept, or from its pod while that is there."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import typer
from kubernetes.config import ConfigException
from prometheus_client import CollectorRegistry

from headgate.cli.log_reader import LogReader, Replica, Unanswered
from headgate.cli.reading import reading
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.connection import Connection, connect
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import LEASES, WORKFLOW_RUNS
from headgate.desired.keys import NAMESPACE, ApiResource
from headgate.desired.manifest import owner_of
from headgate.domain.spread import node_of
from headgate.engine.archive.reading import NoArchive
from headgate.engine.reading.step_logs import StepLogs
from headgate.engine.types import StepLog
from headgate.objects.object_store import InvalidObjectStore, ObjectStore, StoreUnavailable
from headgate.settings import OperatorSettings
from headgate.store.errors import DatabaseUnavailable


def logs(
    run: Annotated[str, typer.Argument(help="NAMESPACE/NAME of a WorkflowRun, or NAMESPACE/ID of any run.")],
    node: Annotated[str | None, typer.Option(help="The node; all of them without it.")] = None,
    attempt: Annotated[int | None, typer.Option(min=1, help="The attempt of the node; the latest without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt ends.")] = False,  # noqa: FBT002 - an option
    workspace: Annotated[str | None, typer.Option(help="The Workspace; asked of the cluster without it.")] = None,
) -> None:
    """Show what the nodes of a run wrote: what is kept of it, or what their pods have.

    Reads HEADGATE_DATABASE_URL, HEADGATE_OBJECT_STORE, HEADGATE_ARCHIVE_STORE and HEADGATE_KUBECONFIG, as the operator
    does.
    """
    namespace, slash, name = run.partition("/")
    if not (namespace and slash and name):
        raise typer.BadParameter("name a run as NAMESPACE/NAME or NAMESPACE/ID")
    if attempt is not None and node is None:
        raise typer.BadParameter("--attempt needs --node")
    settings = OperatorSettings()
    if settings.database_url is None:
        raise typer.Exit(_complain("set HEADGATE_DATABASE_URL"))
    url = settings.database_url.get_secret_value()
    try:
        asyncio.run(_show(settings, url, namespace, name, node, attempt, workspace=workspace, follow=follow))
    except NoArchive:
        raise typer.Exit(_complain("the run is in the archive: set HEADGATE_ARCHIVE_STORE")) from None
    except (Unanswered, InvalidObjectStore, StoreUnavailable, DatabaseUnavailable, ApiError, Unreachable) as error:
        raise typer.Exit(_complain(str(error))) from None


def _write(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


async def _show(
    settings: OperatorSettings,
    url: str,
    namespace: str,
    name: str,
    node: str | None,
    attempt: int | None,
    *,
    workspace: str | None,
    follow: bool,
) -> None:
    objects = ObjectStore(settings.object_store)
    kube = KubeClient(_connection(settings), KubeClient.counter(CollectorRegistry()))
    try:
        async with reading(url, archive_store=settings.archive_store) as engine:
            workspace = workspace or await _workspace_of(kube, namespace)
            workspace_id = await engine.workspaces.id_of(workspace)
            if workspace_id is None:
                raise Unanswered(f"there is no workspace {workspace} in the database")
            run_id = _id(name) or await _run_id(kube, namespace, name)
            replica = Replica(settings.pod_name, settings.namespace, await _leader(kube, settings))
            reader = LogReader(kube, engine.logs, objects, namespace, _write, replica)
            await reader.show(await _chosen(engine.logs, workspace_id, run_id, node, attempt), follow=follow)
    finally:
        await kube.aclose()
        objects.close()


async def _chosen(
    kept: StepLogs, workspace_id: UUID, run_id: UUID, node: str | None, attempt: int | None
) -> tuple[StepLog, ...]:
    """The attempts that are asked for and may have a log. Raises ``Unanswered`` where there are none."""
    logless = await kept.logless(workspace_id, run_id)
    if node is not None and node_of(node) in logless:
        raise Unanswered(f"node {node} has no log: it is not executed by a pod")
    if node is None:
        found = await kept.of_run(workspace_id, run_id)
    else:
        one = await kept.of(workspace_id, run_id, node, attempt)
        found = (one,) if one is not None else ()
    if not found:
        raise Unanswered(f"run {run_id} has no such attempt, or none yet")
    shown = tuple(log for log in found if node_of(log.ref.node) not in logless)
    if not shown:
        raise Unanswered(f"run {run_id} has no log yet: none of its nodes so far is executed by a pod")
    return shown


def _connection(settings: OperatorSettings) -> Connection:
    try:
        return connect(settings.kubeconfig)
    except ConfigException:
        raise Unanswered("set HEADGATE_KUBECONFIG to a kubeconfig") from None


async def _workspace_of(kube: KubeClient, namespace: str) -> str:
    live = await _asked(kube, NAMESPACE, namespace)
    workspace = owner_of(live) if live is not None else None
    if workspace is None:
        raise Unanswered(f"namespace {namespace} belongs to no Workspace; name it with --workspace")
    return workspace


async def _run_id(kube: KubeClient, namespace: str, name: str) -> UUID:
    live = await _asked(kube, WORKFLOW_RUNS, name, namespace)
    if live is None:
        raise Unanswered(f"there is no WorkflowRun {namespace}/{name}; where it was deleted, name the run's id")
    found = _id(str((live.get("status") or {}).get("runId")))
    if found is None:
        raise Unanswered(f"WorkflowRun {namespace}/{name} has not started")
    return found


async def _leader(kube: KubeClient, settings: OperatorSettings) -> str | None:
    """The pod that holds the operator's Lease; None where that cannot be learned, which hinders nothing."""
    try:
        lease = await kube.get(LEASES, settings.lease_name, settings.namespace)
    except (ApiError, Unreachable):
        return None
    return str((lease.get("spec") or {}).get("holderIdentity") or "") or None


async def _asked(kube: KubeClient, resource: ApiResource, name: str, namespace: str = "") -> Object | None:
    try:
        return await kube.get(resource, name, namespace)
    except ApiError as error:
        if error.is_not_found:
            return None
        raise


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _complain(message: str) -> int:
    typer.echo(f"headgate: {message}", err=True)
    return 1
