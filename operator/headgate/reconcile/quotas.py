"""Quota: who refers to it. Its Workspaces are reconciled when it changes, by way of ``Dependents``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from headgate.api.quota import Quota, QuotaStatus, Sharing
from headgate.api.usage import Use, WorkspaceUse
from headgate.cluster.cache import Cache
from headgate.cluster.resources import QUOTAS
from headgate.desired.allotment import Amounts
from headgate.desired.keys import RESOURCE_QUOTA
from headgate.desired.limits import QUOTA_NAME, workspace_totals
from headgate.desired.status import quota_status
from headgate.domain.amounts import Amount
from headgate.domain.conditions import not_ready
from headgate.domain.reasons import Reason
from headgate.domain.usage import RunUsage, of_compute, of_runs
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.parsing import InvalidResource, parse
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.usage import UsageBook, run_usage

_SHOWN = 20


class QuotaReconciler:
    """Keeps a Quota's status: one write where the number of its Workspaces changed, or what they use."""

    def __init__(
        self,
        cache: Cache,
        usage: UsageBook,
        status: StatusWriter,
        *,
        dependents: Dependents,
        wall: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._usage = usage
        self._status = status
        self._users: dict[Key, frozenset[str]] = {}
        self._dependents = dependents
        self._wall = wall

    async def reconcile(self, key: Key) -> None:
        """Look at one Quota."""
        live = self._cache.get(key.object_key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            self._users.pop(key, None)
            return
        names = [user.name for user in self._dependents.of(key.object_key) if user.topic is Topic.WORKSPACE]
        try:
            quota = parse(Quota, live)
        except InvalidResource as error:
            generation = live["metadata"].get("generation", 1)
            conditions = not_ready((), Reason.INVALID_SPEC, str(error), generation, self._wall(), stalled=True)
            status = QuotaStatus(observed_generation=generation, conditions=conditions, workspaces=len(names))
        else:
            status = quota_status(quota, len(names), *self._used(quota, names), self._wall())
            self._divide_anew(key, quota, names)
        await self._status.write(QUOTAS, live, status)

    def _divide_anew(self, key: Key, quota: Quota, names: list[str]) -> None:
        """What several share is divided anew when others come or go."""
        users = frozenset(names) if quota.spec.sharing is Sharing.SHARED else frozenset()
        if self._users.get(key, frozenset()) != users:
            self._users[key] = users
            self._dependents.wake(key.object_key)

    def _used(self, quota: Quota, names: list[str]) -> tuple[tuple[Use, ...] | None, tuple[WorkspaceUse, ...] | None]:
        """What all use together, and who uses the most; unknown as long as it is of one of them."""
        counted = {name: self._usage.of(name) for name in names}
        runs = {name: run_usage(usage) for name, usage in counted.items() if usage is not None}
        if len(runs) < len(counted):
            return None, None
        shared = quota.spec.sharing is Sharing.SHARED
        compute = of_compute(workspace_totals(quota), (used for name in names for used in self._used_of(name)))
        together = (*of_runs(quota.spec.limits, sum(runs.values(), RunUsage())), *compute)
        busiest = sorted(runs.items(), key=lambda item: (-item[1].executions_today, item[0]))[:_SHOWN]
        return tuple(use if shared else use.model_copy(update={"limit": None}) for use in together), tuple(
            WorkspaceUse(
                workspace=name,
                active_runs=used.active,
                executions_today=used.executions_today,
                storage_mb=used.storage_mb,
            )
            for name, used in busiest
        )

    def _used_of(self, workspace: str) -> Iterator[Amounts]:
        for key, _ in self._cache.children(workspace):
            if key.kind == RESOURCE_QUOTA.kind and key.name == QUOTA_NAME:
                yield {name: Amount.parse(text) for name, text in self._cache.used(key).items()}
