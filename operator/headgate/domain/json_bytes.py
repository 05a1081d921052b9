"""JSON as bytes, for values that anybody may have written."""

from __future__ import annotations

from typing import Any

import orjson

_LEAST, _MOST = -(2**63), 2**64 - 1


def encode(value: Any, options: int = 0) -> bytes:
    """The value as JSON, with orjson's options. Raises ``TypeError`` for what is no JSON.

    An integer beyond 64 bits becomes the nearest double, as the API server, and orjson itself, read such a number
    (RFC 8259, section 6, on what is interoperable). One beyond all doubles is no JSON.
    """
    try:
        return orjson.dumps(value, option=options)
    except TypeError:
        return orjson.dumps(_within_64_bits(value), option=options)


def _within_64_bits(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _within_64_bits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_within_64_bits(item) for item in value]
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        try:
            return float(value)
        except OverflowError:
            raise TypeError("a number is too large for a double") from None
    return value
