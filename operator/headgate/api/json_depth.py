"""How deep JSON may be nested: the API server takes 10,000 levels, and few programs read as many."""

from __future__ import annotations

from typing import Any

MOST_LEVELS = 64
"""Of lists and objects within each other, in anything that people write or containers give."""


def is_too_deep(value: Any, most: int = MOST_LEVELS) -> bool:
    """Whether lists and objects of the value are nested in more levels. Values of any depth may be asked about."""
    level = [value]
    for _ in range(most + 1):
        level = [item for item in level if isinstance(item, dict | list | tuple)]
        if not level:
            return False
        level = [item for parent in level for item in (parent.values() if isinstance(parent, dict) else parent)]
    return True
