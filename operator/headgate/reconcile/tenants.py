"""Which workspace a namespace belongs to, and under which id Postgres keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from headgate.api.quota import Quota, Sharing
from headgate.api.workspace import BREAKER_RESET_ANNOTATION, Workspace
from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.keys import NAMESPACE
from headgate.domain.audit import Actor, ActorKind
from headgate.engine.types import WorkspaceRecord
from headgate.engine.workspaces import Workspaces
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.parsing import InvalidResource, R, parse

_LONGEST_RESET = 256


@dataclass(frozen=True)
class Tenant:
    """A workspace as the engine knows it."""

    name: str
    workspace_id: UUID


class NoTenant(Exception):  # noqa: N818 - reads as what it says
    """The namespace belongs to no workspace that could run anything; the message says why."""


class Tenants:
    """Resolves namespaces to workspaces. Ids are remembered, as they never change while a workspace lives."""

    def __init__(self, cache: Cache, workspaces: Workspaces, effects: EffectHandler) -> None:
        self._cache = cache
        self._workspaces = workspaces
        self._effects = effects
        self._known: dict[str, tuple[str, WorkspaceRecord, str, UUID]] = {}

    async def of_namespace(self, namespace: str) -> Tenant:
        """The namespace's tenant. Raises ``NoTenant``, and ``DatabaseUnavailable`` from the engine."""
        name = self._cache.owner(NAMESPACE.key(namespace))
        if name is None:
            raise NoTenant(f"namespace {namespace} belongs to no Workspace; create one, or use a Workspace's namespace")
        live = self._cache.get(WORKSPACES.key(name))
        if live is None:
            raise NoTenant(f"Workspace {name} does not exist any more")
        workspace = _read(Workspace, name, live)
        if namespace not in {wanted.name for wanted in workspace.namespaces}:
            raise NoTenant(f"namespace {namespace} is no longer one of Workspace {name}")
        return Tenant(name, await self.register(workspace))

    async def register(self, workspace: Workspace) -> UUID:
        """Tell the engine of the workspace as it is now; one query where something changed, none otherwise."""
        name, uid = workspace.metadata.name, workspace.metadata.uid
        quota_live = self._cache.get(QUOTAS.key(workspace.spec.quota_ref.name))
        if quota_live is None:
            raise NoTenant(f"Quota {workspace.spec.quota_ref.name} does not exist; create it")
        quota = _read(Quota, workspace.spec.quota_ref.name, quota_live)
        record = WorkspaceRecord(
            name=name,
            limits=quota.spec.limits,
            suspended=workspace.spec.suspend,
            on_exceeded=quota.spec.on_exceeded,
            weight=quota.spec.weight,
            pot=quota.metadata.name if quota.spec.sharing is Sharing.SHARED else None,
            breaker=workspace.spec.circuit_breaker,
            retention=workspace.spec.retention,
            budget=workspace.spec.budget,
        )
        reset = workspace.metadata.annotations.get(BREAKER_RESET_ANNOTATION, "")[:_LONGEST_RESET]
        known = self._known.get(name)
        if known is not None and known[:3] == (uid, record, reset):
            return known[3]
        workspace_id = await self._workspaces.sync(record)
        if reset:
            by = Actor(ActorKind.KUBERNETES, f"Workspace {name}", "Kubernetes")
            await self._effects.handle(await self._workspaces.reset_breaker(workspace_id, reset, by))
        self._known[name] = (uid, record, reset, workspace_id)
        return workspace_id

    def forget(self, name: str) -> None:
        """The workspace is gone, or the engine must be asked again."""
        self._known.pop(name, None)

    def forget_all(self) -> None:
        """After a loss of the database nothing is taken for granted."""
        self._known.clear()


def _read(model: type[R], name: str, live: Object) -> R:
    """What the object says. Raises ``NoTenant``."""
    try:
        return parse(model, live)
    except InvalidResource as error:
        raise NoTenant(f"{model.__name__} {name} is invalid: {error}") from None
