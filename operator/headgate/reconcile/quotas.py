"""Quota: who refers to it. Its Workspaces are reconciled when it changes, by way of ``Dependents``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from headgate.api.quota import Quota, QuotaStatus
from headgate.cluster.cache import Cache
from headgate.cluster.resources import QUOTAS
from headgate.desired.status import quota_status
from headgate.domain.conditions import not_ready
from headgate.domain.reasons import Reason
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.parsing import InvalidResource, parse
from headgate.reconcile.status import StatusWriter


class QuotaReconciler:
    """Keeps a Quota's status: one write where the number of its Workspaces changed."""

    def __init__(
        self, cache: Cache, status: StatusWriter, *, dependents: Dependents, wall: Callable[[], datetime]
    ) -> None:
        self._cache = cache
        self._status = status
        self._dependents = dependents
        self._wall = wall

    async def reconcile(self, key: Key) -> None:
        """Look at one Quota."""
        live = self._cache.get(key.object_key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return
        users = sum(dependent.topic is Topic.WORKSPACE for dependent in self._dependents.of(key.object_key))
        try:
            quota = parse(Quota, live)
        except InvalidResource as error:
            generation = live["metadata"].get("generation", 1)
            conditions = not_ready((), Reason.INVALID_SPEC, str(error), generation, self._wall(), stalled=True)
            status = QuotaStatus(observed_generation=generation, conditions=conditions, workspaces=users)
        else:
            status = quota_status(quota, users, self._wall())
        await self._status.write(QUOTAS, live, status)
