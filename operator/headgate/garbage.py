"""How often the interpreter looks for garbage that lies in cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 100)
"""Far above Python's own (700, 10, 10). Requests and events make hundreds of small objects each, next to none of them
in cycles: looking for those that often took a fifth of the operator's processor time (docs/design/0001).
"""


@contextmanager
def loading() -> Iterator[None]:
    """Look for none within the block, which loads modules: what they make stays, and a program is to begin soon."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def look_seldom() -> None:
    """Look for it seldom in this process, and never in what it has loaded by now, which stays."""
    gc.set_threshold(*THRESHOLDS)
    gc.freeze()
