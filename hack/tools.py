"""Programs that are not Python: the pinned ones of the cache, or else those of the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from hack.cluster import build


def tool(name: str) -> Path:
    """Where `kubectl` or `helm` is. It is built where it is missing, unless the machine has one and no Go."""
    pinned = build.program(name)
    if not pinned.exists():
        found = shutil.which(name)
        if found and not shutil.which("go"):
            return Path(found)
        build.build((name,))
    return pinned
