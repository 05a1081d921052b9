"""The end of a Workspace: what is deleted, what stays, and the finalizer that makes sure of it.

Only a Workspace with ``deletionPolicy: Delete`` carries the finalizer. Removing the CRD deletes every Workspace too;
that is an uninstallation and not a wish to lose tenants' data, so nothing is deleted then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from headgate.api.workspace import FORCE_DELETE_ANNOTATION, DeletionPolicy, Workspace
from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import CUSTOM_RESOURCE_DEFINITIONS, WORKSPACES
from headgate.desired.keys import NAMESPACE
from headgate.desired.namespace import is_adopted
from headgate.desired.status import ending_status
from headgate.engine.workspaces import Workspaces
from headgate.reconcile.children import Children
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.tenants import Tenants
from headgate.store.errors import DatabaseAbsent

FINALIZER = "headgate.dev/workspace"
LOOK_AGAIN_SECONDS = 3.0
"""Until it is looked whether the runs of a Workspace that is being deleted have ended."""
_CRD = f"{WORKSPACES.plural}.{WORKSPACES.group}"


class Teardown:
    """Takes workspaces down."""

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        children: Children,
        workspaces: Workspaces,
        tenants: Tenants,
        effects: EffectHandler,
        status: StatusWriter,
        *,
        requeue: Callable[[Key, float], None],
        wall: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._children = children
        self._workspaces = workspaces
        self._tenants = tenants
        self._effects = effects
        self._status = status
        self._requeue = requeue
        self._wall = wall

    async def guard(self, live: Object, *, wanted: bool) -> Object:
        """Add or take off the finalizer; the object as it is then. Raises ``ApiError`` where it changed meanwhile."""
        metadata = live["metadata"]
        finalizers = [name for name in metadata.get("finalizers") or () if name != FINALIZER]
        if wanted:
            finalizers.append(FINALIZER)
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
        written = await self._kube.merge_patch(WORKSPACES, metadata["name"], "", patch)
        self._cache.upsert(WORKSPACES, written)
        return written

    async def take_down(self, key: Key, live: Object, workspace: Workspace) -> None:
        """One step towards the end of a Workspace that is being deleted; namespaces that go bring us here again.

        Runs under way are waited for, unless deletion is forced; nothing new starts meanwhile.
        """
        if FINALIZER not in workspace.metadata.finalizers:
            return
        if workspace.spec.deletion_policy is DeletionPolicy.DELETE and not await self._uninstalling():
            if not is_forced(workspace) and (running := await self._stop_starting(key.name)):
                await self._status.write(WORKSPACES, live, ending_status(workspace, running, self._wall()))
                self._requeue(key, LOOK_AGAIN_SECONDS)
                return
            if await self._remove_namespaces(key.name):
                return
            await self._retire(key.name)
        try:
            await self.guard(live, wanted=False)
        except ApiError as error:
            if not error.is_not_found:
                raise

    async def forgotten(self, name: str) -> None:
        """The Workspace does not exist any more; its namespaces, where they were retained, start no new run."""
        self._tenants.forget(name)
        await self._workspaces.suspend(name)

    async def _stop_starting(self, name: str) -> int:
        """Let no new run start, and tell how many are under way."""
        try:
            await self._workspaces.suspend(name)
            return await self._workspaces.running_runs(name)
        except DatabaseAbsent:
            return 0

    async def _remove_namespaces(self, name: str) -> bool:
        """Delete the workspace's namespaces, and let go of adopted ones. Whether some are still there."""
        namespaces = self._children.namespaces(name)
        for namespace, item in namespaces.items():
            if is_adopted(item):
                await self._children.release(name, namespace)
            elif not item["metadata"].get("deletionTimestamp"):
                await self._kube.delete(NAMESPACE, namespace, uid=item["metadata"]["uid"])
        return any(not is_adopted(item) for item in namespaces.values())

    async def _retire(self, name: str) -> None:
        with suppress(DatabaseAbsent):
            await self._effects.handle(await self._workspaces.retire(name))
        self._tenants.forget(name)

    async def _uninstalling(self) -> bool:
        try:
            crd = await self._kube.get(CUSTOM_RESOURCE_DEFINITIONS, _CRD)
        except ApiError as error:
            if error.is_not_found:
                return True
            raise
        return bool(crd["metadata"].get("deletionTimestamp"))


def is_forced(workspace: Workspace) -> bool:
    """Whether the Workspace is to go although runs are under way."""
    return workspace.metadata.annotations.get(FORCE_DELETE_ANNOTATION) == "true"
