"""Who has to be reconciled again when an object changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from headgate.desired.keys import ObjectKey
from headgate.reconcile.keys import Key


class Dependents:
    """What each key looked at when it was last reconciled, and the other way round. O(1) per relation."""

    def __init__(self, enqueue: Callable[[Key], None]) -> None:
        self._enqueue = enqueue
        self._on: dict[Key, frozenset[ObjectKey]] = {}
        self._of: dict[ObjectKey, set[Key]] = defaultdict(set)

    def depend(self, key: Key, *on: ObjectKey) -> bool:
        """``key`` depends on exactly these objects from now on; on none when called with none. Whether that is new."""
        if self._on.get(key, frozenset()) == frozenset(on):
            return False
        for former in self._on.pop(key, frozenset()):
            self._of[former].discard(key)
            if not self._of[former]:
                del self._of[former]
        if on:
            self._on[key] = frozenset(on)
            for item in on:
                self._of[item].add(key)
        return True

    def wake(self, item: ObjectKey) -> None:
        """Reconcile all that depends on the object: it changed, or what we make of it did."""
        for key in self.of(item):
            self._enqueue(key)

    def on(self, key: Key) -> frozenset[ObjectKey]:
        """What the key depends on."""
        return self._on.get(key, frozenset())

    def of(self, item: ObjectKey) -> tuple[Key, ...]:
        """The keys that depend on the object."""
        return tuple(self._of.get(item, ()))
