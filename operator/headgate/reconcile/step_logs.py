"""Keeping the logs of attempts: from the pod into the object store, before Kubernetes may delete the Job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.dependencies import NotAsked
from headgate.desired.keys import ObjectKey
from headgate.desired.manifest import labels_of
from headgate.desired.runner_job import NUMBER_LABEL
from headgate.domain.attempt import CONTAINER, has_ended
from headgate.domain.parted_log import PartedLog, PodLog, WholeLog
from headgate.domain.step_log import CutLog, log_path
from headgate.domain.task import TaskRef
from headgate.engine.engine import Engine
from headgate.objects.object_store import ObjectStore
from headgate.reconcile.letting_go import LetGo
from headgate.reconcile.queue import QueueMetrics, WorkQueue
from headgate.reconcile.workloads import Workloads, has_time_to_live
from headgate.store.errors import DatabaseUnavailable

WORKERS = 8
"""Logs that are kept at the same time at most."""
RUNNERS = 2
"""Those of runners among them: all that is kept of one is held at once."""
PRECEDING_SECONDS = 1.0
"""Between looks whether the log of an earlier runner of the run is kept."""
TRIES = 30
"""How often keeping a log is tried: for about 20 minutes, as the pauses grow to a minute."""
READ_BYTES = 16 * 1024 * 1024
"""Of a longer log, or of 16 times what is kept, only this much is read from its beginning, and as much of its end."""
ENTRY_BYTES = 16 * 1024
"""Container runtimes write longer lines in several parts, each of which counts as a line."""
READ_SECONDS = 90.0
"""For one log: longer than a pod may take to end."""


@dataclass(frozen=True)
class RunnerOf:
    """Which runner of a run a Job is."""

    workspace_id: UUID
    run_id: UUID
    number: int
    """An attempt that several executed has the log of the last."""


@dataclass
class _Waiting:
    """The log of a pod that is to be kept."""

    whose: TaskRef | RunnerOf
    uid: str
    going: bool = False
    """Whether the Job is being deleted anyway."""
    tries: int = 0
    settled: bool = False
    """Whether nothing remains but to let the Job go."""


class LogKeeper:
    """Keeps the log of every attempt whose Job is handed to it, and lets the Job go afterwards.

    Completing attempts never waits for it: ``keep`` only takes note. What it has not kept when the process ends is
    handed to it again by the reconciliation of Jobs, as long as they were not let go.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        engine: Engine,
        objects: ObjectStore,
        workloads: Workloads,
        let_go: LetGo,
        registry: CollectorRegistry,
        *,
        limit: int,
        monotonic: Callable[[], float],
    ) -> None:
        """``limit`` is how many bytes of a log are kept at most; with 0 none is looked at."""
        self._kube = kube
        self._cache = cache
        self._engine = engine
        self._objects = objects
        self._workloads = workloads
        self._let_go = let_go
        self._limit = limit
        self._waiting: dict[ObjectKey, _Waiting] = {}
        self._runners = asyncio.Semaphore(RUNNERS)
        self._results = Counter("headgate_step_logs_total", "Logs of attempts.", ["result"], registry=registry)
        metrics = QueueMetrics(
            Gauge("headgate_step_logs_waiting", "Logs that wait to be kept.", registry=registry),
            Histogram("headgate_step_log_seconds", "Duration of keeping one log.", ["kind"], registry=registry),
            Counter("headgate_step_log_failures_total", "Logs not kept yet.", ["kind"], registry=registry),
        )
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.once, lambda _: "log", metrics, monotonic)
        self._log = structlog.get_logger("headgate.step_logs")

    async def run(self) -> None:
        """Keep logs for ever."""
        await self._queue.run(WORKERS)

    def keep(self, key: ObjectKey, live: Object, ref: TaskRef, *, going: bool = False) -> None:
        """Have the log of the Job's attempt kept soon, and let the Job go then. Asking again changes nothing.

        A Job that is ``going``, because it is about to be deleted, is not let go: that would say that its end is known.
        """
        self._take(key, live, ref, going=going)

    def keep_runner(self, key: ObjectKey, live: Object, runner: RunnerOf, *, going: bool = False) -> None:
        """As ``keep``, for the logs of all attempts that ran in a runner."""
        self._take(key, live, runner, going=going)

    def _take(self, key: ObjectKey, live: Object, whose: TaskRef | RunnerOf, *, going: bool) -> None:
        uid = live["metadata"]["uid"]
        if not self.keeps(key, uid):
            self._waiting[key] = _Waiting(whose, uid, going)
            self._queue.add(key)

    async def keep_printed(self, ref: TaskRef, printed: CutLog) -> None:
        """Keep what an attempt printed that has no pod of its own. Raises ``StoreUnavailable``."""
        result = "off"
        if self._limit:
            log = WholeLog(ref, self._limit)
            log.add(printed.content)
            [(_, kept)] = log.results(complete=not printed.truncated)
            result = await self._write(ref, kept)
        self._results.labels(result).inc()

    def count_lost(self) -> None:
        """One log was given up."""
        self._results.labels("lost").inc()

    def keeps(self, key: ObjectKey, uid: str) -> bool:
        """Whether this very Job was handed over, and is not let go yet."""
        waiting = self._waiting.get(key)
        return waiting is not None and waiting.uid == uid

    async def once(self, key: ObjectKey) -> None:
        """Keep one log. Raises what may go away by itself; after the last of so many tries the log is given up."""
        waiting = self._waiting.get(key)
        if waiting is None:
            return
        if not waiting.settled:
            if self._comes_later(waiting):
                self._queue.add_after(key, PRECEDING_SECONDS)
                return
            try:
                results = await self._kept(key, waiting)
            except DatabaseUnavailable:
                # Nothing can be recorded then, not even that it is lost.
                raise
            except Exception as error:
                if isinstance(error.__cause__, NotAsked):
                    # That was no try.
                    raise
                waiting.tries += 1
                if waiting.tries < TRIES:
                    raise
                results = ["lost"]
                self._log.error("the log of an attempt is lost", job=str(key), error=f"{type(error).__name__}: {error}")
            for result in results:
                self._results.labels(result).inc()
            waiting.settled = True
        live = self._cache.get(key)
        if live is not None and live["metadata"]["uid"] == waiting.uid and not waiting.going:
            await self._release(key, live, waiting.whose)
        if self._waiting.get(key) is waiting:
            del self._waiting[key]

    async def _release(self, key: ObjectKey, live: Object, whose: TaskRef | RunnerOf) -> None:
        """Let the Job go. What Postgres knows of an attempt says so for its Job; a runner's has to be marked."""
        if isinstance(whose, TaskRef):
            self._let_go.note(key, live)
        else:
            await self._workloads.give_time_to_live(key, live)

    def _comes_later(self, waiting: _Waiting) -> bool:
        """Whether the log of an earlier runner of the run has to be kept first: the last one's is to stay."""
        runner = waiting.whose
        if not isinstance(runner, RunnerOf):
            return False
        others = (other.whose for other in self._waiting.values() if not other.settled)
        return any(
            isinstance(other, RunnerOf) and other.run_id == runner.run_id and other.number < runner.number
            for other in others
        ) or any(number < runner.number for number in self._unkept(runner.run_id))

    def _unkept(self, run_id: UUID) -> Iterator[int]:
        """The numbers of the run's runners that nobody has let go: after a start they are handed over in any order."""
        for _, live in self._cache.jobs_of(str(run_id)):
            gone = live["metadata"].get("deletionTimestamp") or has_time_to_live(live)
            number = labels_of(live).get(NUMBER_LABEL, "")
            if number.isdecimal() and not gone:
                yield int(number)

    async def _kept(self, key: ObjectKey, waiting: _Waiting) -> list[str]:
        """What became of the logs, each in one word for the metric."""
        if not self._limit:
            return ["off"]
        pod = await self._pod(key)
        if pod is None:
            self._log.info("no log is kept: there is no pod", job=str(key))
            return ["no_pod"]
        try:
            return await self._part(key.namespace, pod, waiting.whose)
        except ApiError as error:
            if error.is_not_found or error.is_invalid:
                # The pod is gone, or its container was never made.
                self._log.info("no log is kept", job=str(key), reason=error.message)
                return ["no_pod" if error.is_not_found else "not_started"]
            raise

    async def _part(self, namespace: str, pod: Object, whose: TaskRef | RunnerOf) -> list[str]:
        """Read the log of the pod, and write that of each attempt which ran in it."""
        if isinstance(whose, TaskRef):
            complete = await self._read(namespace, pod, log := WholeLog(whose, self._limit))
            return [await self._write(ref, kept) for ref, kept in log.results(complete=complete)]
        nodes = await self._engine.runner_tasks.nodes(whose.workspace_id, whose.run_id)
        async with self._runners:
            parted = PartedLog(whose.workspace_id, whose.run_id, nodes, self._limit)
            complete = await self._read(namespace, pod, parted)
            return [await self._write(ref, kept) for ref, kept in parted.results(complete=complete)]

    async def _pod(self, key: ObjectKey) -> Object | None:
        pods = self._cache.pods_of(key) or await self._workloads.pods(key)
        return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)

    async def _read(self, namespace: str, pod: Object, log: PodLog) -> bool:
        """Take in the pod's log. Whether it came to its end."""
        most = max(READ_BYTES, 16 * self._limit)
        name = pod["metadata"]["name"]
        # A pod that is still ending, after a timeout or a cancellation, is listened to until it has.
        ending = not has_ended(pod)
        chunks = self._kube.log(namespace, name, CONTAINER, limit_bytes=most, follow=ending)
        complete = await _take_in(log, chunks)
        if log.seen >= most:
            log.leap()
            tail = self._kube.log(namespace, name, CONTAINER, limit_bytes=most, tail_lines=most // ENTRY_BYTES)
            complete = await _take_in(log, tail)
        if not complete and not ending:
            raise Unreachable("a log did not come to its end in time")
        return complete

    async def _write(self, ref: TaskRef, log: CutLog) -> str:
        path = log_path(ref) if log.content else None
        if path is not None:
            await self._objects.put(path, log.content)
        # What was put lies there now, whatever was noted before.
        stays = await self._engine.logs.record(ref, path, len(log.content), truncated=log.truncated, again=True)
        if not stays:
            await self._objects.delete(log_path(ref))
        if path is not None and not stays:
            self._log.info("a log was cut to nothing: no room", run=str(ref.run_id), node=ref.node)
            return "no_room"
        return "cut" if log.truncated else "kept"


async def _take_in(log: PodLog, chunks: AsyncIterator[bytes]) -> bool:
    """Take in what comes within the time that one log may take. Whether it came to its end."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in chunks:
                log.add(chunk)
    except TimeoutError:
        return False
    return True
