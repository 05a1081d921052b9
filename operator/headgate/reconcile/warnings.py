"""Events about Jobs and pods of workspaces: why an attempt does not start, where no status says it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.reflector import pause
from headgate.cluster.resources import EVENTS, JOBS, PODS
from headgate.desired.job import JOB_NAME_LABEL
from headgate.desired.keys import NAMESPACE, ApiResource, ObjectKey
from headgate.desired.manifest import labels_of
from headgate.domain.attempt import Trouble, trouble_of
from headgate.reconcile.keys import Key, Topic, key_for

REMEMBERED = 8192
"""Jobs and pods whose troubles are known at most: those that had the last ones."""
LISTERS = 2
"""Namespaces whose warnings are listed at the same time."""
_WARNINGS = "type=Warning"
_KINDS: Mapping[str, ApiResource] = {JOBS.kind: JOBS, PODS.kind: PODS}


class Warnings:
    """Watches the warnings of the cluster, and keeps those of workspaces for who asks.

    The API server finds Events by reading all of a namespace, as it holds them in no cache: to list them for each
    attempt costs the number of attempts squared. So they are watched, from the start on, and what was there before is
    listed once for each namespace that anybody asks about.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        enqueue: Callable[[Key], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._enqueue = enqueue
        self._sleep = sleep
        self._known: OrderedDict[str, dict[str, Trouble]] = OrderedDict()
        self._listed: set[str] = set()
        self._to_list: asyncio.Queue[str] = asyncio.Queue()
        self._log = structlog.get_logger("headgate.warnings")

    def about(self, namespace: str, *uids: str) -> tuple[Trouble, ...]:
        """The last trouble of each reason that the objects with these uids had, as far as it is known.

        What was there before the watch is asked for then: the Jobs that it is about are looked at again.
        """
        if namespace not in self._listed:
            self._listed.add(namespace)
            self._to_list.put_nowait(namespace)
        return tuple(trouble for uid in uids for trouble in self._known.get(uid, {}).values())

    async def run(self) -> None:
        """Watch for ever. A Job about which there is news is looked at."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for _ in range(LISTERS):
                group.create_task(self._list())

    async def _watch(self) -> None:
        version: int | None = None
        failures = 0
        while True:
            try:
                if version is None:
                    version = await self._kube.present_version(EVENTS)
                    # What happened since the last watch is found where somebody asks.
                    self._listed.clear()
                async for kind, event in self._kube.watch(EVENTS, fields=_WARNINGS, version=version):
                    version = int(event["metadata"]["resourceVersion"])
                    failures = 0
                    if kind in ("ADDED", "MODIFIED"):
                        self.take_in(event)
            except ApiError as error:
                version = None
                failures += 1
                if not error.is_gone:
                    self._log.warning("the watch of warnings was refused", error=str(error))
            except Unreachable:
                # In a quiet cluster nothing is heard for minutes.
                failures += 1
            await self._sleep(pause(failures))

    async def _list(self) -> None:
        while True:
            namespace = await self._to_list.get()
            try:
                async for page in self._kube.list_pages(EVENTS, namespace=namespace, fields=_WARNINGS):
                    for event in page["items"]:
                        self.take_in(event)
            except (ApiError, Unreachable) as error:
                self._log.warning("could not list warnings", namespace=namespace, error=str(error))
                self._listed.discard(namespace)

    def take_in(self, event: Mapping[str, Any]) -> None:
        """Keep a warning that is about a Job or a pod of a workspace, and have the Job looked at."""
        about = event.get("involvedObject") or {}
        trouble, uid = trouble_of(event), str(about.get("uid", ""))
        if trouble is None or about.get("kind") not in _KINDS or not uid:
            return
        if self._cache.owner(NAMESPACE.key(str(about.get("namespace", "")))) is None:
            return
        of_it = self._known.setdefault(uid, {})
        self._known.move_to_end(uid)
        former = of_it.get(str(event["reason"]))
        if former is None or former.seen <= trouble.seen:
            of_it[str(event["reason"])] = trouble
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        job = self._job(_KINDS[about["kind"]].key(about["name"], about["namespace"]))
        if job is not None and self._cache.uid(job) is not None:
            self._enqueue(key_for(Topic.JOB, job))

    def _job(self, key: ObjectKey) -> ObjectKey | None:
        if key.kind == JOBS.kind:
            return key
        live = self._cache.get(key)
        name = labels_of(live).get(JOB_NAME_LABEL) if live is not None else None
        return JOBS.key(name, key.namespace) if name else None
