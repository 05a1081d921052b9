"""Where things live: the cache shared by every checkout, and the folders of this package."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
MODULES = PACKAGE / "modules"
TEMPLATES = PACKAGE / "config"


def cache_root() -> Path:
    """The folder, outside every checkout, that holds what is expensive to make again."""
    explicit = os.environ.get("HEADGATE_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate"
