"""A bound for a folder: nobody else would hold it to a size, and one that is too large costs the operator its pod."""

from __future__ import annotations

import threading
from typing import Any

LEFT = 0.8
"""How much of what a folder may hold is left of it when its oldest objects have gone: so that they seldom have to."""
BLOCK = 4096
"""Files take whole blocks, and each may need a folder of its own."""


class FolderRoom:
    """Makes room in a folder by deleting its oldest objects. For one process that writes to it; thread-safe."""

    def __init__(self, limit: int) -> None:
        """``limit`` is in bytes."""
        self._limit = limit
        self._lock = threading.Lock()
        self._used: int | None = None

    def make(self, store: Any, size: int) -> None:
        """Delete the oldest objects where another one of ``size`` bytes would go beyond the limit. Blocks."""
        import obstore

        with self._lock:
            if self._used is None or self._used + _taken(size) > self._limit:
                found = [item for page in obstore.list(store) for item in page]
                self._used = sum(_taken(item["size"]) for item in found)
                if self._used + _taken(size) > self._limit:
                    most = int(self._limit * LEFT) - _taken(size)
                    for item in sorted(found, key=lambda item: item["last_modified"]):
                        if self._used <= most:
                            break
                        obstore.delete(store, item["path"])
                        self._used -= _taken(item["size"])
            self._used += _taken(size)


def _taken(size: int) -> int:
    """What an object takes of a disk."""
    return -(-size // BLOCK) * BLOCK + BLOCK
