"""An object for each batch: JSON Lines, named by the range that it holds."""

from __future__ import annotations

import hashlib
import json
import re

from headgate.runner.connectors.s3 import Objects
from headgate.runner.copying.batches import Batch

_SHOWN = 60


class JsonLines:
    """A target. A batch that is written again has the name that it had, as the cursor tells where it is to end."""

    by_range = True

    def __init__(self, objects: Objects, prefix: str) -> None:
        """``prefix`` is the folder."""
        self._objects = objects
        self._prefix = prefix

    async def write(self, batch: Batch, after: str | None) -> None:
        """As ``Target`` has it."""
        key = f"{self._prefix}/{_told(after)}..{_told(batch.mark)}.jsonl"
        content = "".join(f"{_line(record)}\n" for record in batch.records)
        await self._objects.put(key, content.encode(), "application/x-ndjson")


def _line(record: str) -> str:
    """The record in one line. Line ends in JSON are between members only: within texts they are escaped."""
    return record.replace("\r", " ").replace("\n", " ")


def _told(mark: str | None) -> str:
    """A mark in a name: what can be read of it, and what makes it its own."""
    if mark is None:
        return "beginning"
    value = json.loads(mark)
    parts = value if isinstance(value, list) else value.items() if isinstance(value, dict) else [value]
    words = "_".join("-".join(map(str, part)) if isinstance(part, tuple) else str(part) for part in parts)
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", words)[:_SHOWN].strip("-")
    return f"{readable}-{hashlib.sha256(mark.encode()).hexdigest()[:8]}"
