"""How often the interpreter looks for garbage that lies in cycles, in processes that serve without end."""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 100)
"""Far above Python's own (700, 10, 10). Requests and events make hundreds of small objects each, next to none of them
in cycles: looking for those that often took a fifth of the operator's processor time (docs/design/0001).
"""


def look_seldom() -> None:
    """Look for it seldom in this process, and never in what it has loaded by now, which stays."""
    gc.set_threshold(*THRESHOLDS)
    gc.freeze()
