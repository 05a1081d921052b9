"""Looking at everything of a kind: after a start, and when something changed that concerns all."""

from __future__ import annotations

from collections.abc import Callable

from headgate.cluster.cache import Cache
from headgate.reconcile.keys import RESOURCE_OF, Key, Topic, key_for
from headgate.reconcile.runs import is_settled


class Sweep:
    """Enqueues what the cache holds."""

    def __init__(self, cache: Cache, enqueue: Callable[[Key], None]) -> None:
        self._cache = cache
        self._enqueue = enqueue

    def all(self) -> None:
        """Look at everything that may need it: after a start, and when Postgres came back."""
        self.kinds(Topic.QUOTA, Topic.WORKSPACE, Topic.WORKFLOW, Topic.RUN, Topic.JOB)

    def kinds(self, *topics: Topic) -> None:
        """Look at all of these kinds, but for runs that have ended."""
        for topic in topics:
            for key in self._cache.keys(RESOURCE_OF[topic]):
                if topic is Topic.RUN and ((live := self._cache.get(key)) is None or is_settled(live)):
                    continue
                self._enqueue(key_for(topic, key))
