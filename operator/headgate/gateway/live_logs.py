"""What running attempts write, from their pods: each byte once, though connections to the API server break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

import structlog

from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import PODS
from headgate.desired.job import ATTEMPT_LABEL, NODE_LABEL, RUN_LABEL
from headgate.desired.manifest import WORKSPACE_LABEL
from headgate.domain.attempt import CONTAINER
from headgate.domain.runner_log import AttemptFrames
from headgate.domain.stamped_log import NotStamped, StampedLog
from headgate.engine.reading.step_logs import StepLogs
from headgate.engine.types import Execution, StepLog
from headgate.gateway.pace import Pace

SKEW = timedelta(minutes=1)
"""By which the clock of a node may be behind: what an attempt printed in a runner is looked for from then on."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LiveLogs:
    """Reads the logs of pods. Where that is not allowed, there are none."""

    kube: KubeClient
    logs: StepLogs
    pace: Pace

    def of(self, log: StepLog) -> LiveLog:
        """The log of an attempt that has not ended, from its beginning."""
        return LiveLog(self, log)


class LiveLog:
    """What one attempt writes. Used by one reader: ``attach``, and ``next`` until it says that there is no more."""

    def __init__(self, source: LiveLogs, log: StepLog) -> None:
        self._source = source
        self._whose = log
        self._pod: tuple[str, str] | None = None
        self._stamped = StampedLog()
        self._frames: AttemptFrames | None = None
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._reading: asyncio.Task[None] | None = None
        self._clean = self._refused = False
        self.given = 0
        """How many bytes were given."""
        self.moves = 0
        """How often another pod began the attempt anew, whose log was given behind that of the one before."""

    @property
    def attempt(self) -> int:
        """Which attempt of its node it is."""
        return self._whose.ref.attempt

    @property
    def is_open(self) -> bool:
        """Whether there may be more without attaching again."""
        return self._reading is not None

    @property
    def is_framed(self) -> bool:
        """Whether a runner tells of the attempt, and of its end."""
        return self._frames is not None

    @property
    def has_ended(self) -> bool:
        """Whether the last reading came to the end of what the container, or a runner of the attempt, has written."""
        return self._frames.ended if self._frames is not None else self._clean

    @property
    def may_come(self) -> bool:
        """Whether attaching again may be of any use."""
        return not self._refused and not (self._frames is not None and self._frames.ended)

    async def attach(self) -> None:
        """Begin to read, or go on where it broke off, where there is a pod to be read."""
        execution = await self._source.logs.execution(self._whose.ref)
        try:
            pod = self._pod if execution is None else await self._pod_of(execution)
        except (ApiError, Unreachable) as error:
            self._note(error)
            return
        if pod is None:
            return
        if pod != self._pod:
            self.moves += self._pod is not None and self.given > 0
            self._pod, self._stamped = pod, StampedLog()
            ref = self._whose.ref
            runs = execution is not None and execution.runner is not None
            self._frames = AttemptFrames(ref.run_id, ref.node, ref.attempt) if runs else None
        self._clean = False
        self._stamped.again()
        self._pieces = asyncio.Queue(1)
        self._reading = asyncio.create_task(self._read(*pod), name="live log")

    async def next(self, seconds: float) -> bytes:
        """What comes next; nothing where nothing comes within that time, or no more at all."""
        piece: bytes | None = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                piece = await self._pieces.get()
        if piece is None:
            await self.close()
            return b""
        self.given += len(piece)
        return piece

    async def close(self) -> None:
        """Read no more."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _pod_of(self, execution: Execution) -> tuple[str, str] | None:
        if execution.runner is not None:
            return execution.namespace, execution.runner
        ref = self._whose.ref
        wanted = {
            WORKSPACE_LABEL: execution.workspace,
            RUN_LABEL: ref.run_id,
            NODE_LABEL: ref.node,
            ATTEMPT_LABEL: ref.attempt,
        }
        labels = ",".join(f"{name}={value}" for name, value in wanted.items())
        pages = self._source.kube.list_pages(PODS, namespace=execution.namespace, labels=labels)
        pods = [pod["metadata"] async for page in pages for pod in page["items"]]
        newest = max(pods, key=lambda pod: str(pod.get("creationTimestamp")), default=None)
        return (execution.namespace, newest["name"]) if newest is not None else None

    async def _read(self, namespace: str, pod: str) -> None:
        try:
            chunks = self._source.kube.log(namespace, pod, CONTAINER, since=self._since(), timestamps=True, follow=True)
            async with aclosing(chunks):
                await self._pass_on(chunks)
            self._clean = True
        except (ApiError, Unreachable, NotStamped) as error:
            self._note(error)
        await self._pieces.put(None)

    async def _pass_on(self, chunks: AsyncGenerator[bytes]) -> None:
        async for chunk in chunks:
            await self._source.pace.let_through(self._whose.ref.workspace_id, len(chunk))
            text = self._stamped.add(chunk)
            piece = text if self._frames is None else self._frames.add(text)
            if piece:
                await self._pieces.put(piece)
            if self._frames is not None and self._frames.ended:
                return

    def _since(self) -> str | None:
        begun = self._whose.started_at
        if self._stamped.since is None and self._frames is not None and begun is not None:
            return (begun - SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._stamped.since

    def _note(self, error: ApiError | Unreachable | NotStamped) -> None:
        """What is not there yet, or not any more, is nothing to speak of."""
        if isinstance(error, ApiError) and (error.is_not_found or error.is_invalid):
            return
        self._refused = isinstance(error, ApiError) and error.status == HTTPStatus.FORBIDDEN
        _log.warning("a log cannot be followed", run=str(self._whose.ref.run_id), error=type(error).__name__)
