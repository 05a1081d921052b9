"""Kopf's storages of handlers' state, for an operator whose handlers have none.

Kopf takes two deep copies of every object in every event, to find out what changed since a handler last succeeded. Our
handlers only pass events on, and nobody asks: without the copies an event costs about half.
"""

from __future__ import annotations

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers nothing of what an object was like."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing is essential."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Nothing was stored."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Remembers nothing of how far handlers got."""

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""
        return

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Nothing to purge."""

    def touch(self, **_: Any) -> None:
        """Nothing to touch."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Leave it as it is."""
        return essence
