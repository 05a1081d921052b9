"""The end of a Workspace: what is deleted, what stays, and the finalizer that makes sure of it.

Only a Workspace with ``deletionPolicy: Delete`` carries the finalizer. Removing the CRD deletes every Workspace too;
that is an uninstallation and not a wish to lose tenants' data, so nothing is deleted then.
"""

from __future__ import annotations

from headgate.api.workspace import DeletionPolicy, Workspace
from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import CUSTOM_RESOURCE_DEFINITIONS, WORKSPACES
from headgate.desired.keys import NAMESPACE
from headgate.engine.engine import Engine
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.tenants import Tenants

FINALIZER = "headgate.dev/workspace"
_CRD = f"{WORKSPACES.plural}.{WORKSPACES.group}"


class Teardown:
    """Takes workspaces down."""

    def __init__(
        self, kube: KubeClient, cache: Cache, engine: Engine, tenants: Tenants, effects: EffectHandler
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._engine = engine
        self._tenants = tenants
        self._effects = effects

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

    async def take_down(self, live: Object, workspace: Workspace) -> None:
        """One step towards the end of a Workspace that is being deleted; namespaces that go bring us here again."""
        if FINALIZER not in workspace.metadata.finalizers:
            return
        name = workspace.metadata.name
        if workspace.spec.deletion_policy is DeletionPolicy.DELETE and not await self._uninstalling():
            namespaces = [(key, item) for key, item in self._cache.children(name) if key.kind == NAMESPACE.kind]
            for key, item in namespaces:
                if not item["metadata"].get("deletionTimestamp"):
                    await self._kube.delete(NAMESPACE, key.name, uid=item["metadata"]["uid"])
            if namespaces:
                return
            await self._effects.handle(await self._engine.retire_workspace(name))
            self._tenants.forget(name)
        try:
            await self.guard(live, wanted=False)
        except ApiError as error:
            if not error.is_not_found:
                raise

    async def forgotten(self, name: str) -> None:
        """The Workspace does not exist any more; its namespaces, where they were retained, start no new run."""
        self._tenants.forget(name)
        await self._engine.suspend_workspace(name)

    async def _uninstalling(self) -> bool:
        try:
            crd = await self._kube.get(CUSTOM_RESOURCE_DEFINITIONS, _CRD)
        except ApiError as error:
            if error.is_not_found:
                return True
            raise
        return bool(crd["metadata"].get("deletionTimestamp"))
