"""What workspaces use: asked of Postgres and taken from the cache a few times a minute, told where it changed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from headgate.api.circuit_breaker import BreakerState, CircuitBreakerStatus
from headgate.cluster.cache import Cache
from headgate.cluster.resources import WORKSPACES
from headgate.desired.keys import RESOURCE_QUOTA, ObjectKey
from headgate.desired.limits import QUOTA_NAME
from headgate.domain.run_status import seconds
from headgate.domain.usage import RunUsage
from headgate.engine.types import BreakerView, WorkspaceUsage
from headgate.engine.workspaces import Workspaces
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.loops import forever

REFRESH_SECONDS = 12.0
"""Between two looks. What a status says is at most 30 seconds old, its writing included."""

_Seen = tuple[WorkspaceUsage | None, tuple[bytes, ...]]


class UsageBook:
    """The latest known use of every workspace. Costs one query a look, and a status write for what changed."""

    def __init__(
        self,
        cache: Cache,
        workspaces: Workspaces,
        registry: CollectorRegistry,
        *,
        enqueue: Callable[[Key], None],
        quota_of: Callable[[Key], frozenset[ObjectKey]],
        alarm: asyncio.Event,
    ) -> None:
        """``quota_of`` gives the Quota that a Workspace's key depends on; ``alarm`` is set to have a look at once."""
        self._cache = cache
        self._workspaces = workspaces
        self._enqueue = enqueue
        self._quota_of = quota_of
        self._known: dict[str, WorkspaceUsage] = {}
        self._told: dict[str, _Seen] = {}
        self._alarm = alarm
        self._metrics = UsageMetrics(registry)

    def of(self, workspace: str) -> WorkspaceUsage | None:
        """What Postgres counted for the workspace; None while that is not known.

        One that was made again after it was deleted has nothing of its namesake's, which may be known for a moment yet.
        """
        known, live = self._known.get(workspace), self._cache.get(WORKSPACES.key(workspace))
        recorded = ((live or {}).get("status") or {}).get("workspaceId")
        return known if known is not None and recorded == str(known.workspace_id) else None

    async def run(self) -> None:
        """Look for ever."""
        await forever("usage", self.once, self._alarm, net_seconds=REFRESH_SECONDS)

    async def once(self) -> datetime | None:
        """Look once, and have those Workspaces and Quotas reconciled of which something changed."""
        self._known = {usage.name: usage for usage in await self._workspaces.usage()}
        self._metrics.show(self._known)
        prints: dict[str, list[bytes]] = defaultdict(list)
        for key in sorted(self._cache.keys(RESOURCE_QUOTA)):
            owner = self._cache.owner(key)
            if owner is not None and key.name == QUOTA_NAME:
                prints[owner].append(self._cache.fingerprint(key))
        now: dict[str, _Seen] = {
            name: (self._known.get(name), tuple(prints.get(name, ()))) for name in {*self._known, *prints}
        }
        changed = [name for name, seen in now.items() if self._told.get(name) != seen]
        self._told = now
        workspaces = {Key(Topic.WORKSPACE, name) for name in changed}
        quotas = {Key(Topic.QUOTA, quota.name) for workspace in workspaces for quota in self._quota_of(workspace)}
        for wanted in workspaces | quotas:
            self._enqueue(wanted)
        return None


class UsageMetrics:
    """Gauges by workspace; those of workspaces that are gone disappear."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs = Gauge("headgate_runs", "Runs that have not ended.", ["workspace", "state"], registry=registry)
        self._executions = Gauge(
            "headgate_executions_today", "Runs that started since midnight UTC.", ["workspace"], registry=registry
        )
        self._storage = Gauge(
            "headgate_storage_bytes", "What is kept of a workspace's runs.", ["workspace"], registry=registry
        )
        self._breaker = Gauge(
            "headgate_circuit_breaker_open",
            "Whether new runs are held back because too many failed.",
            ["workspace"],
            registry=registry,
        )
        self._spent = Gauge(
            "headgate_spent_this_month",
            "What attempts cost that ended since the month of UTC began.",
            ["workspace"],
            registry=registry,
        )
        self._shown: frozenset[str] = frozenset()

    def show(self, usage: dict[str, WorkspaceUsage]) -> None:
        """Show exactly these workspaces."""
        for name, item in usage.items():
            self._runs.labels(name, "running").set(item.running + item.borrowed)
            self._runs.labels(name, "pending").set(item.pending)
            self._executions.labels(name).set(item.executions_today)
            self._storage.labels(name).set(item.storage_bytes)
            self._spent.labels(name).set(float(item.spent))
            self._breaker.labels(name).set(item.breaker.state is not BreakerState.CLOSED)
        for gone in self._shown - usage.keys():
            self._runs.remove(gone, "running")
            self._runs.remove(gone, "pending")
            for gauge in (self._executions, self._storage, self._breaker, self._spent):
                gauge.remove(gone)
        self._shown = frozenset(usage)


def run_usage(usage: WorkspaceUsage) -> RunUsage:
    """What the workspace's runs use."""
    return RunUsage(
        usage.running, usage.pending, usage.executions_today, usage.storage_bytes, usage.borrowed, usage.api_calls
    )


def breaker_status(breaker: BreakerView) -> CircuitBreakerStatus:
    """The circuit breaker as a status tells it."""
    return CircuitBreakerStatus(
        state=breaker.state,
        failures=breaker.failures,
        opened_at=seconds(breaker.opened_at),
        retry_at=seconds(breaker.retry_at),
        reset=breaker.reset,
    )
