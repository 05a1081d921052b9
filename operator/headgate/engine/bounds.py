"""Keeps what tenants hand in to a size and a form that Postgres takes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from headgate.api.json_depth import MOST_LEVELS, is_too_deep

MESSAGE_BYTES = 1024
REASON_BYTES = 128
OUTPUT_BYTES = 4096
INPUTS_BYTES = 65536
VALUE_BYTES = 65536
DEBUG_BYTES = 524_288
"""A mock for each of a hundred nodes, each with as large an output as a node may have."""
BRANCH_CHARACTERS = 63
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def clip(text: str, limit: int = MESSAGE_BYTES) -> str:
    """``text`` in at most ``limit`` bytes of UTF-8, with an ellipsis where it was cut.

    NUL, which Postgres' text cannot hold, and halves of characters become U+FFFD.
    """
    encoded = text.replace("\x00", "\ufffd").encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - 3].decode(errors="ignore") + "…"


def check_json(value: Any, limit: int, what: str) -> None:
    """Raise ``ValueError``, with a message for a person, unless ``value`` is JSON of at most ``limit`` bytes.

    JSON for Postgres, that is: without the characters U+0000 and halves of surrogate pairs, and without NaN.
    """
    try:
        encoded = _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} contains half of a character (a lone surrogate)") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON: {error}") from None
    # No more levels than brackets: what has few need not be walked through.
    if encoded.count(b"[") + encoded.count(b"{") > MOST_LEVELS and is_too_deep(value):
        raise ValueError(f"lists and objects of {what} are nested in more than {MOST_LEVELS} levels")
    if len(encoded) > limit:
        raise ValueError(f"{what} has {len(encoded)} bytes as JSON; the limit is {limit}")
    # Every backslash of a string comes doubled, so a sequence that stands for NUL follows an even number of others.
    if b"\\u0000" in encoded.replace(b"\\\\", b""):
        raise ValueError(f"{what} contains the character U+0000")


def place_of_nul(value: Any, place: str) -> str | None:
    """Where a JSON value, which is called ``place``, has a text with U+0000; None where nowhere."""
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, str):
        return place if "\x00" in value else None
    if isinstance(value, dict):
        if any("\x00" in key for key in value):
            return f"a key of {place}"
        inner = ((f"{place}.{key}", item) for key, item in value.items())
    elif isinstance(value, list):
        inner = ((f"{place}[{index}]", item) for index, item in enumerate(value))
    return next((found for at, item in inner if (found := place_of_nul(item, at)) is not None), None)
