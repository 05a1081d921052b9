"""What the API server makes of an object that is applied or patched."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def merged(live: Any, desired: Any) -> Any:
    """A value after an apply by the only one who applies it, as far as mappings go."""
    if isinstance(live, dict) and isinstance(desired, Mapping):
        return live | {key: merged(live.get(key), value) for key, value in desired.items()}
    return copy.deepcopy(desired)


def patched(live: Any, patch: Any) -> Any:
    """A value after a JSON merge patch: the algorithm of RFC 7386, section 2."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    after = dict(live) if isinstance(live, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = patched(after.get(key), value)
    return after
