"""What the pods of attempts use, asked of ``metrics.k8s.io`` where the cluster serves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS, POD_METRICS, PODS
from headgate.desired.job import ATTEMPT_LABEL
from headgate.desired.keys import ObjectKey
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL, labels_of
from headgate.domain.attempt import began, has_ended
from headgate.domain.cost import Footprint, footprint_of
from headgate.domain.measured import Measured, Use, sample_of
from headgate.reconcile.loops import forever

LOOK_SECONDS = 30.0
"""Between looks, of which each is one request for all pods of ours."""
ABSENT = timedelta(minutes=5)
"""Until it is looked again for what nobody serves, or may not be read."""
_NO_LIST = (LookupError, TypeError, ValueError, AttributeError)
"""What becomes of an answer that is no list of objects: another program serves this, which may be at fault."""


@dataclass(frozen=True)
class Held:
    """What a pod used in the mean, and what it keeps from others."""

    used: Measured
    footprint: Footprint | None


@dataclass
class _Told:
    key: ObjectKey
    footprint: Footprint | None
    use: Use


class PodUse:
    """Keeps the mean of what each pod used, for as long as the pod is there. Without metrics it knows nothing.

    What was told before this process began is not known to it.
    """

    def __init__(self, kube: KubeClient, cache: Cache, *, wall: Callable[[], datetime]) -> None:
        self._kube = kube
        self._cache = cache
        self._wall = wall
        self._told: dict[str, _Told] = {}
        self._again: datetime | None = None
        self._log = structlog.get_logger("headgate.pod_use")

    async def run(self) -> None:
        """Look for ever."""
        await forever("pod_use", self.once, net_seconds=LOOK_SECONDS)

    async def once(self) -> None:
        """Ask once, where there is anything to be told of."""
        now = self._wall()
        self._forget()
        if not self._cache.keys(JOBS) or (self._again is not None and now < self._again):
            return
        try:
            labels = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
            async for page in self._kube.list_pages(POD_METRICS, labels=labels):
                for item in page.get("items") or ():
                    self._take(item, now)
        except (ApiError, Unreachable, *_NO_LIST) as error:
            if self._again is None:
                told = f"{type(error).__name__}: {error}"
                self._log.info("nothing tells what pods use: attempts cost what they request", error=told)
            self._again = now + ABSENT
            return
        if self._again is not None:
            self._log.info("it is told again what pods use")
        self._again = None

    def of(self, pods: Sequence[Object]) -> Held | None:
        """What is known of the newest of these pods that anything is known of."""
        known = [self._told[uid] for pod in _newest_first(pods) if (uid := pod["metadata"]["uid"]) in self._told]
        used = known[0].use.mean() if known else None
        return Held(used, known[0].footprint) if used is not None else None

    def _take(self, item: Object, now: datetime) -> None:
        metadata = item.get("metadata") or {}
        key = PODS.key(str(metadata.get("name")), str(metadata.get("namespace")))
        pod = self._cache.get(key)
        if pod is None or ATTEMPT_LABEL not in labels_of(pod) or has_ended(pod):
            return
        since, sample = began(pod), sample_of(item, now)
        if since is None or sample is None:
            return
        told = self._told.setdefault(pod["metadata"]["uid"], _Told(key, footprint_of(pod), Use(since)))
        told.use = told.use.told(sample)

    def _forget(self) -> None:
        """Pods that are gone."""
        self._told = {uid: told for uid, told in self._told.items() if self._cache.uid(told.key) == uid}


def _newest_first(pods: Sequence[Object]) -> list[Object]:
    return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
