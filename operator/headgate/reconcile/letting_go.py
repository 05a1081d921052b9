"""Jobs of attempts of which nothing more is wanted: kept for a while, and then deleted many at a time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS
from headgate.desired.job import JOB_LABEL
from headgate.desired.keys import NAMESPACE, ObjectKey
from headgate.desired.manifest import labels_of
from headgate.domain.attempt import ended_at
from headgate.domain.task import TaskRef
from headgate.engine.reading.step_logs import StepLogs
from headgate.reconcile.loops import forever
from headgate.reconcile.workloads import Workloads, attempt_of, has_time_to_live

T = TypeVar("T")

TOGETHER = 100
"""Jobs that one request deletes at most: all their names are in its URL."""
ASKED_TOGETHER = 500
"""Attempts that one query asks about."""
LOOK_SECONDS = 5.0
"""Between looks at what is due."""
AGAIN = timedelta(minutes=1)
"""Until what was to be deleted and is still there, or could not be, is deleted again."""
SPARE = 12
"""Of its time, a Job that is due waits for others this fraction again, so that they go together."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A Job that was let go, and is still there."""

    uid: str
    due: datetime
    """When its time is over, so that it may go with others."""
    latest: datetime
    """When it goes, with others or not."""
    together: bool
    """Whether it may go with others: a label tells its name, and no request for several has failed with it."""


@dataclass
class _Former:
    """Jobs of one workspace that had ended when this process began."""

    jobs: list[tuple[ObjectKey, TaskRef]] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LetGo:
    """Knows which Jobs of attempts are let go, and deletes them once their time is over.

    A Job is let go when its end is recorded and its log is kept, or given up. Nothing is written on it: after a start
    Postgres is asked, once for each workspace, of which Jobs that is true. Where it does not say so of one, that Job
    is looked at as if it had ended now, which repeats what was not done.

    Costs one request for up to a hundred Jobs of a namespace.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        workloads: Workloads,
        step_logs: StepLogs,
        *,
        ttl: timedelta,
        with_logs: bool,
        wall: Callable[[], datetime],
    ) -> None:
        """``ttl`` is how long a Job stays after it has ended; ``with_logs`` says whether logs are kept at all."""
        self._kube = kube
        self._cache = cache
        self._workloads = workloads
        self._step_logs = step_logs
        self._ttl = ttl
        self._with_logs = with_logs
        self._wall = wall
        self._kept: dict[ObjectKey, _Kept] = {}
        self._former: dict[UUID, _Former] | None = None
        self._log = structlog.get_logger("headgate.let_go")

    async def run(self) -> None:
        """Delete what is due, for ever."""
        await forever("let_go", self.once, net_seconds=LOOK_SECONDS)

    def note(self, key: ObjectKey, live: Object) -> None:
        """Let the Job go: its end is recorded, and its log is kept, or will never be."""
        due = (ended_at(live) or self._wall()) + self._ttl
        together = labels_of(live).get(JOB_LABEL) == key.name
        self._kept[key] = _Kept(live["metadata"]["uid"], due, due + self._ttl / SPARE, together)

    def has(self, key: ObjectKey, live: Object) -> bool:
        """Whether that very Job is known to be let go, by this release or an earlier one."""
        kept = self._kept.get(key)
        return (kept is not None and kept.uid == live["metadata"]["uid"]) or has_time_to_live(live)

    def forget(self, key: ObjectKey, live: Object) -> None:
        """The Job is gone."""
        if (kept := self._kept.get(key)) is not None and kept.uid == live["metadata"]["uid"]:
            del self._kept[key]

    async def ask(self, workspace_id: UUID) -> None:
        """Learn which Jobs of the workspace were let go before this process began. Raises ``DatabaseUnavailable``.

        Asked of Postgres when a Job of the workspace is first found to have ended, and then no more.
        """
        if self._former is None:
            self._former = self._ended_before()
        former = self._former.get(workspace_id)
        if former is None:
            return
        async with former.lock:
            if workspace_id in self._former:
                await self._learn(workspace_id, former)
                del self._former[workspace_id]

    async def once(self) -> None:
        """Delete the Jobs whose time is over, where some have waited for others long enough, or are many."""
        now = self._wall()
        for namespace, due in self._due(now).items():
            if self._cache.owner(NAMESPACE.key(namespace)) is None:
                # Nothing may be written there any more; or it is on its way, and takes its Jobs along.
                continue
            if len(due) >= TOGETHER or min(kept.latest for _, kept in due) <= now:
                await self._delete(namespace, due, now)

    async def leave(self, namespace: str) -> None:
        """Delete what was let go in the namespace, whose time or not: it is about to be a workspace's no more."""
        kept = [(key, kept) for key, kept in self._kept.items() if key.namespace == namespace]
        await self._delete(namespace, kept, self._wall())

    def _ended_before(self) -> dict[UUID, _Former]:
        found: dict[UUID, _Former] = defaultdict(_Former)
        for key in self._cache.keys(JOBS):
            live = self._cache.get(key)
            if live is None or ended_at(live) is None or live["metadata"].get("deletionTimestamp"):
                continue
            ref = attempt_of(live)
            if ref is not None and not self.has(key, live):
                found[ref.workspace_id].jobs.append((key, ref))
        return dict(found)

    async def _learn(self, workspace_id: UUID, former: _Former) -> None:
        for some in _batches(former.jobs, ASKED_TOGETHER):
            refs = [ref for _, ref in some]
            settled = await self._step_logs.settled(workspace_id, refs, with_logs=self._with_logs)
            for key, ref in some:
                live = self._cache.get(key) if ref in settled else None
                if live is not None and attempt_of(live) == ref:
                    self.note(key, live)

    def _due(self, now: datetime) -> dict[str, list[tuple[ObjectKey, _Kept]]]:
        due: dict[str, list[tuple[ObjectKey, _Kept]]] = defaultdict(list)
        for key, kept in self._kept.items():
            if kept.due <= now:
                due[key.namespace].append((key, kept))
        return due

    async def _delete(self, namespace: str, due: Iterable[tuple[ObjectKey, _Kept]], now: datetime) -> None:
        for requested in self._requests(list(due)):
            for key, kept in requested:
                # Until it is seen to be gone, and not before it is forgotten that it was let go.
                self._kept[key] = replace(kept, due=now + AGAIN)
            try:
                await self._request(namespace, requested)
            except Unreachable as error:
                self._log.warning("could not delete Jobs", namespace=namespace, jobs=len(requested), error=str(error))
            except ApiError as error:
                self._log.warning("could not delete Jobs", namespace=namespace, jobs=len(requested), error=str(error))
                # The first that is refused ends a request for several: it must not keep the others for ever.
                for key in {key for key, _ in requested} & self._kept.keys():
                    self._kept[key] = replace(self._kept[key], together=False)

    def _requests(self, due: list[tuple[ObjectKey, _Kept]]) -> Iterator[Sequence[tuple[ObjectKey, _Kept]]]:
        """What goes together. What is known to be gone already takes no request."""
        there = []
        for key, kept in due:
            if self._cache.uid(key) == kept.uid:
                there.append((key, kept))
            else:
                del self._kept[key]
        yield from _batches([item for item in there if item[1].together], TOGETHER)
        yield from ((item,) for item in there if not item[1].together)

    async def _request(self, namespace: str, jobs: Sequence[tuple[ObjectKey, _Kept]]) -> None:
        if len(jobs) == 1:
            [(key, kept)] = jobs
            await self._workloads.delete(key, kept.uid)
            return
        # By name, which is the attempt's alone: whatever Job has it is of an attempt whose end is recorded.
        names = ",".join(sorted(key.name for key, _ in jobs))
        await self._kube.delete_collection(JOBS, namespace, labels=f"{JOB_LABEL} in ({names})")


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
