"""Programs that are not Python: the pinned ones of the cache, or else those of the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from hack.cluster import build
from hack.steps import TroubleError


def tool(name: str) -> Path:
    """Where `kubectl` or `helm` is; built where it is missing and Go is there to build it."""
    pinned = build.program(name)
    if not pinned.exists() and not shutil.which("go"):
        found = shutil.which(name)
        if found:
            return Path(found)
        raise TroubleError(f"neither {name} nor Go to build it is there", f"install {name}, or Go 1.26 or newer")
    build.build((name,))
    return pinned
