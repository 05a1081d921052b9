"""Showing logs: what is kept of them, or what pods have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from headgate.api.workflow_run import NodePhase
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import PODS
from headgate.desired.job import ATTEMPT_LABEL, NODE_LABEL, RUN_LABEL
from headgate.desired.runner_pod import COMPONENT, COMPONENT_LABEL
from headgate.desired.runner_pool import POOL_LABEL
from headgate.domain.attempt import CONTAINER, has_ended
from headgate.domain.runner_log import AttemptFrames
from headgate.engine.reading.step_logs import StepLogs
from headgate.engine.types import StepLog
from headgate.objects.object_store import ObjectMissing, ObjectStore

LOOK_AGAIN_SECONDS = 1.0
_UNDER_WAY = (NodePhase.QUEUED, NodePhase.RUNNING)


class Unanswered(Exception):  # noqa: N818 - reads as what it says
    """There is no log to show; the message is for whoever asked."""


@dataclass(frozen=True)
class Replica:
    """The pod that reads, and the one that leads: without a claim or a bucket each has a folder of logs of its own."""

    own: str
    namespace: str
    leader: str | None = None
    """None where it is not known."""

    def advice(self) -> str:
        """Where else a log may be that is not in this pod's folder."""
        if self.leader is None or self.leader == self.own:
            return "its oldest logs are gone, and those of a replica that led before are in that one's"
        command = f"kubectl exec --namespace={self.namespace} {self.leader} -- headgate node-logs"
        return f"ask the replica that leads ({command} ...)"


class LogReader:
    """Shows logs, one attempt after the other."""

    def __init__(
        self,
        kube: KubeClient,
        kept: StepLogs,
        objects: ObjectStore,
        namespace: str,
        write: Callable[[bytes], object],
        replica: Replica,
    ) -> None:
        self._kube = kube
        self._kept = kept
        self._objects = objects
        self._namespace = namespace
        self._write = write
        self._replica = replica

    async def show(self, logs: tuple[StepLog, ...], *, follow: bool) -> None:
        """Write what the attempts wrote, under their names where there are several."""
        for log in logs:
            if len(logs) > 1:
                self._write(f"==> {log.ref.node}, attempt {log.ref.attempt} <==\n".encode())
            try:
                await self._one(log, follow=follow)
            except Unanswered as why:
                # One that cannot be shown does not hide the others.
                if len(logs) == 1:
                    raise
                self._write(f"headgate: {why}\n".encode())

    async def _one(self, log: StepLog, *, follow: bool) -> None:
        while log.size is None:
            if await self._live(log, follow=follow):
                return
            ref = log.ref
            now = await self._kept.of(ref.workspace_id, ref.run_id, ref.node, ref.attempt)
            if now is None or (now.size is None and not (follow and now.phase in _UNDER_WAY)):
                raise Unanswered(f"no log of {ref.node}, attempt {ref.attempt}, is kept, and it has no pod with one")
            log = now
            if log.size is None:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
        if log.path is not None:
            try:
                content = await self._objects.get(log.path)
            except ObjectMissing:
                # Its pod may still have it: a Job stays for some minutes after its log is kept.
                if not await self._live(log, follow=False):
                    raise Unanswered(self._missing(log.path)) from None
            else:
                self._write(content)
        elif log.truncated:
            raise Unanswered("the log was not kept: maxStorageMB of the quota leaves no room for it")

    def _missing(self, path: str) -> str:
        if self._objects.scheme != "file":
            return f"the log is not in the object store any more: {path}"
        return f"the log is not in the folder of {self._replica.own}: {self._replica.advice()}: {path}"

    async def _live(self, log: StepLog, *, follow: bool) -> bool:
        """Write what the attempt's pod has. Whether there was one with a log."""
        ref = log.ref
        own = f"{RUN_LABEL}={ref.run_id},{NODE_LABEL}={ref.node},{ATTEMPT_LABEL}={ref.attempt}"
        for pod in (await self._pods(own))[:1]:
            return await self._copy(pod, None, follow=follow)
        runners = f"{RUN_LABEL}={ref.run_id},{COMPONENT_LABEL}={COMPONENT}"
        for pod in [*await self._pods(runners), *await self._pods(POOL_LABEL)]:
            if await self._copy(pod, AttemptFrames(ref.run_id, ref.node, ref.attempt), follow=follow):
                return True
        return False

    async def _copy(self, pod: Object, part: AttemptFrames | None, *, follow: bool) -> bool:
        """Write a pod's log, or that part of it. Whether there is one."""
        name, wrote = pod["metadata"]["name"], False
        follow = follow and not has_ended(pod)
        try:
            async with aclosing(self._kube.log(self._namespace, name, CONTAINER, follow=follow)) as chunks:
                async for chunk in chunks:
                    piece = part.add(chunk) if part is not None else chunk
                    wrote = wrote or bool(piece)
                    self._write(piece)
                    if part is not None and part.ended:
                        break
        except ApiError as error:
            if wrote or not (error.is_not_found or error.is_invalid):
                raise
            # It is gone, or its container is not made yet.
            return False
        return part is None or part.begun

    async def _pods(self, labels: str) -> list[Object]:
        """The newest first."""
        pages = self._kube.list_pages(PODS, namespace=self._namespace, labels=labels)
        found = [item async for page in pages for item in page["items"]]
        return sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
