"""JSON as bytes and back, whatever somebody wrote: the API server takes much that libraries do not."""

from __future__ import annotations

import json
import re
from array import array
from itertools import accumulate
from typing import Any

import orjson

from headgate.api.json_depth import MOST_LEVELS

_LEAST, _MOST = -(2**63), 2**64 - 1
_CUT_LEVELS = 2 * MOST_LEVELS
"""Where the depth is cut: an object around a value of the greatest depth keeps it, and what is deeper is found so."""
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[{]}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""One level further in, or out: as signed bytes."""
RECURSION_LIMIT = 200_000
"""For Python, in a process that reads what anybody wrote: the API server's JSON is up to 10,000 levels deep, Python's
parser goes that deep in less than 2 MB of stack, and by itself it stops at a tenth, which would end the process.
"""


def encode(value: Any, options: int = 0, *, cut: bool = False) -> bytes:
    """The value as JSON, with orjson's options. Raises ``TypeError`` for what is no JSON.

    An integer beyond 64 bits becomes the nearest double, as the API server, and orjson itself, read such a number
    (RFC 8259, section 6, on what is interoperable). One beyond all doubles is no JSON. Something that is nested in more
    than 128 levels is no JSON either, or with ``cut`` has null in place of what is deeper.
    """
    try:
        return orjson.dumps(value, option=options)
    except TypeError:
        return orjson.dumps(_readable(value, _CUT_LEVELS, cut=cut), option=options)


def decode(raw: bytes) -> Any:
    """The value of JSON that is nested as deep as the API server allows. Raises ``ValueError`` for what is no JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            return json.loads(raw)
        except RecursionError:
            raise ValueError("it is nested too deep") from None


def is_nested_deeper(raw: bytes, most: int) -> bool:
    """Whether lists and objects of what should be JSON in UTF-8 are nested in more levels, without reading it as JSON.

    Whoever allows deep recursion has to ask before parsing: a parser in C ends the process where the stack ends. True
    for bytes with NUL as well, which no JSON in UTF-8 has: as UTF-16 they may hold what is not seen here.
    """
    if b"\0" in raw:
        return True
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    steps = array("b", _STRINGS.sub(b"", raw).translate(_STEPS, _OTHERS))
    return max(accumulate(steps), default=0) > most


def _readable(value: Any, levels: int, *, cut: bool) -> Any:
    if isinstance(value, dict | list | tuple) and not levels:
        if cut:
            return None
        raise TypeError(f"lists and objects are nested in more than {_CUT_LEVELS} levels")
    if isinstance(value, dict):
        return {key: _readable(item, levels - 1, cut=cut) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item, levels - 1, cut=cut) for item in value]
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        try:
            return float(value)
        except OverflowError:
            raise TypeError("a number is too large for a double") from None
    return value
