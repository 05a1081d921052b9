"""Workspace: its children, its place in the engine, and its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from headgate.api.quota import Quota
from headgate.api.workspace import PAUSED_ANNOTATION, DeletionPolicy, Workspace, WorkspaceStatus
from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import QUOTAS, WORKSPACES
from headgate.desired.context import ClusterFacts
from headgate.desired.inventory import Inventory, take_stock
from headgate.desired.keys import NAMESPACE, ObjectKey
from headgate.desired.manifest import Manifest
from headgate.desired.obstacles import Failure, History, Seen, is_merely_uncounted, obstacle
from headgate.desired.plan import Claims, Deletion
from headgate.desired.status import paused_status, workspace_status
from headgate.desired.workspace import children
from headgate.domain.conditions import not_ready
from headgate.domain.reasons import Reason
from headgate.domain.usage import of_compute, of_runs
from headgate.reconcile.children import Children
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key, Topic, key_for
from headgate.reconcile.parsing import InvalidResource, parse
from headgate.reconcile.shares import Division, Shares
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.teardown import FINALIZER, Teardown
from headgate.reconcile.tenants import NoTenant, Tenants
from headgate.reconcile.usage import UsageBook, breaker_status, run_usage
from headgate.store.errors import DatabaseUnavailable

CONTESTED_SECONDS = 30.0
"""Until a namespace of someone else is looked at again: it is not watched."""
COUNT_SECONDS = 5.0
RECOUNT_SECONDS = 3.0
SHORT_SECONDS = 3.0
"""Until it is looked whether others have let go of what a namespace is to have."""
COUNTED_WITHIN = timedelta(seconds=2)
"""So long nothing is said of it; less than ``RECOUNT_SECONDS``, so that the next look does say it."""


class WorkspaceReconciler:
    """Makes a Workspace real.

    Costs one request per child that differs and one status write where the status changed; nothing where all is as it
    should be.
    """

    def __init__(
        self,
        cache: Cache,
        built: Children,
        shares: Shares,
        teardown: Teardown,
        tenants: Tenants,
        usage: UsageBook,
        status: StatusWriter,
        facts: Callable[[], ClusterFacts],
        *,
        runners: Callable[[str], int | None],
        dependents: Dependents,
        requeue: Callable[[Key, float], None],
        park: Callable[[Key], None],
        wall: Callable[[], datetime],
    ) -> None:
        """``runners`` says how large the pool of a namespace is to be, where that was decided."""
        self._cache = cache
        self._children = built
        self._shares = shares
        self._teardown = teardown
        self._tenants = tenants
        self._usage = usage
        self._status = status
        self._facts = facts
        self._runners = runners
        self._dependents = dependents
        self._requeue = requeue
        self._park = park
        self._wall = wall
        self._uncounted_since: dict[Key, datetime] = {}

    def prime(self) -> None:
        """Note which Quota each cached Workspace is on, so that Quotas count right from the first time."""
        for item in self._cache.keys(WORKSPACES):
            live = self._cache.get(item)
            name = ((live or {}).get("spec") or {}).get("quotaRef", {}).get("name")
            if name:
                self._dependents.depend(key_for(Topic.WORKSPACE, item), QUOTAS.key(name))

    async def reconcile(self, key: Key) -> None:
        """Bring one Workspace about, or take it down."""
        live = self._cache.get(key.object_key)
        if live is None:
            self._depend(key)
            self._uncounted_since.pop(key, None)
            self._shares.settled(key.name)
            await self._teardown.forgotten(key.name)
            return
        try:
            workspace = parse(Workspace, live)
        except InvalidResource as error:
            generation = live["metadata"].get("generation", 1)
            conditions = not_ready((), Reason.INVALID_SPEC, str(error), generation, self._wall(), stalled=True)
            invalid = WorkspaceStatus(observed_generation=generation, conditions=conditions)
            await self._status.write(WORKSPACES, live, invalid)
            return
        if workspace.metadata.deletion_timestamp is not None:
            await self._teardown.take_down(key, live, workspace)
            return
        if is_paused(workspace):
            await self._status.write(WORKSPACES, live, paused_status(workspace, self._wall()))
            return
        wants_cleanup = workspace.spec.deletion_policy is DeletionPolicy.DELETE
        if wants_cleanup != (FINALIZER in workspace.metadata.finalizers):
            live = await self._teardown.guard(live, wanted=wants_cleanup)
        seen, failure = await self._bring_about(key, workspace)
        if is_merely_uncounted(workspace, seen) and self._may_still_count(key):
            return
        await self._status.write(WORKSPACES, live, workspace_status(workspace, seen, self._wall()))
        for name in seen.uids:
            self._dependents.wake(NAMESPACE.key(name))
        if failure is not None:
            raise failure

    async def _bring_about(self, key: Key, workspace: Workspace) -> tuple[Seen, Exception | None]:
        """Carry out what the Workspace wants, as far as that goes."""
        seen = self._quota(key, workspace)
        quota = seen.quota
        if quota is None or obstacle(workspace, seen) is not None:
            return seen, None
        inventory = take_stock(workspace, self._children.namespaces(key.name))
        seen = replace(seen, inventory=inventory)
        failure: ApiError | Unreachable | None = None
        try:
            seen = await self._write_children(key, workspace, quota, inventory, seen)
        except (ApiError, Unreachable) as error:
            failure = error
            refused = isinstance(error, ApiError) and (error.is_invalid or error.is_forbidden)
            seen = replace(seen, failure=Failure(str(error), refused))
        if seen.plan.conflicts:
            self._requeue(key, CONTESTED_SECONDS)
        uids = {name: uid for name in inventory.wanted if (uid := self._owned_uid(key.name, name))}
        return replace(seen, uids=uids, history=await self._history(key, workspace)), failure

    async def _write_children(
        self, key: Key, workspace: Workspace, quota: Quota, inventory: Inventory, seen: Seen
    ) -> Seen:
        facts = self._facts()
        division = await self._shares.divide(workspace, quota, inventory, facts)
        sizes = {name: size for name in inventory.wanted if (size := self._runners(name)) is not None}
        hard = division.allotment.hard
        desired = children(workspace, quota, facts, inventory=inventory, hard=hard, runners=sizes)
        claims = Claims(
            adoptable=frozenset(share.name for share in workspace.namespaces if share.adopt),
            known=frozenset(known.uid for known in workspace.status.namespaces if known.uid),
        )
        seen = replace(seen, plan=await self._children.bring_about(key.name, desired, claims))
        self._shares.settled(key.name)
        for name in inventory.released:
            await self._children.release(key.name, name)
        for name in inventory.doomed:
            if uid := self._owned_uid(key.name, name):
                await self._children.delete(Deletion(NAMESPACE.key(name), uid))
        if division.allotment.short:
            self._requeue(key, SHORT_SECONDS)
        return replace(
            self._with_usage(key.name, quota, inventory, division, seen),
            short=division.allotment.short,
            uncounted=await self._uncounted(key, inventory, desired),
        )

    def _with_usage(self, name: str, quota: Quota, inventory: Inventory, division: Division, seen: Seen) -> Seen:
        """What is used. While Postgres has not been asked, all of it stays as it was said last."""
        counted = self._usage.of(name)
        if counted is None:
            return seen
        runs = run_usage(counted)
        compute = of_compute(division.totals, self._shares.used((*inventory.wanted, *inventory.kept)))
        return replace(
            seen,
            usage=(*of_runs(quota.spec.limits, runs), *compute),
            active_runs=runs.active,
            spent=counted.spent,
            breaker=breaker_status(counted.breaker),
        )

    async def _uncounted(
        self, key: Key, inventory: Inventory, desired: tuple[Manifest, ...]
    ) -> dict[str, tuple[str, ...]]:
        found = {name: amounts for name in inventory.wanted if (amounts := self._children.uncounted(name))}
        if not found:
            self._uncounted_since.pop(key, None)
        for name in found:
            await self._children.recount(name, desired, self._wall())
            self._requeue(key, RECOUNT_SECONDS)
        return found

    def _may_still_count(self, key: Key) -> bool:
        """Whether to wait with the status: as a rule the cluster counts a new ResourceQuota within a second."""
        since = self._uncounted_since.setdefault(key, self._wall())
        return self._wall() - since < COUNTED_WITHIN

    def _quota(self, key: Key, workspace: Workspace) -> Seen:
        quota_key = QUOTAS.key(workspace.spec.quota_ref.name)
        self._depend(key, quota_key)
        live: Object | None = self._cache.get(quota_key)
        if live is None:
            return Seen(quota=None)
        try:
            return Seen(quota=parse(Quota, live))
        except InvalidResource as error:
            return Seen(quota=None, quota_error=str(error))

    async def _history(self, key: Key, workspace: Workspace) -> History | None:
        try:
            return History(available=True, workspace_id=str(await self._tenants.register(workspace)))
        except DatabaseUnavailable as error:
            self._park(key)
            return History(available=False, message=f"no run starts until Postgres can be used: {error}")
        except NoTenant:
            return None

    def _depend(self, key: Key, *quota: ObjectKey) -> None:
        """Note which Quota the Workspace is on. The Quotas concerned count a little later, once for many changes."""
        before = self._dependents.on(key)
        if self._dependents.depend(key, *quota):
            for item in {*before, *quota}:
                self._requeue(key_for(Topic.QUOTA, item), COUNT_SECONDS)

    def _owned_uid(self, workspace: str, name: str) -> str | None:
        key = NAMESPACE.key(name)
        return self._cache.uid(key) if self._cache.owner(key) == workspace else None


def is_paused(workspace: Workspace) -> bool:
    """Whether nothing of the Workspace is to be touched."""
    return workspace.metadata.annotations.get(PAUSED_ANNOTATION) == "true"
