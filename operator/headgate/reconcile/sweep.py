"""Looking at everything of a kind: after a start, and when something changed that concerns all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.reconcile.keys import RESOURCE_OF, Key, Topic, key_for
from headgate.reconcile.runs import is_settled
from headgate.reconcile.workloads import has_time_to_live


class Sweep:
    """Enqueues what the cache holds."""

    def __init__(self, cache: Cache, enqueue: Callable[[Key], None]) -> None:
        self._cache = cache
        self._enqueue = enqueue

    def all(self) -> None:
        """Look at everything that may need it: after a start, and when Postgres came back.

        At Jobs before runs: so what ended meanwhile is recorded first, and each run looked at once, with its end.
        """
        self.kinds(Topic.QUOTA, Topic.WORKSPACE, Topic.WORKFLOW, Topic.JOB, Topic.RUN)

    def kinds(self, *topics: Topic) -> None:
        """Look at all of these kinds, but for runs that have ended, and Jobs that Kubernetes deletes by itself."""
        for topic in topics:
            over = _OVER.get(topic, _never)
            for key in self._cache.keys(RESOURCE_OF[topic]):
                live = self._cache.get(key)
                if live is not None and not over(live):
                    self._enqueue(key_for(topic, key))


def _never(_: Object) -> bool:
    return False


_OVER: Mapping[Topic, Callable[[Object], bool]] = {Topic.RUN: is_settled, Topic.JOB: has_time_to_live}
"""What tells that an object of a kind needs no look."""
