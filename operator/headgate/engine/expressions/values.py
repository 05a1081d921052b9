"""From values of the CEL library to JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_INT64 = range(-(2**63), 2**63)


class NotJsonError(Exception):
    """A value that has no JSON form; the message is for the expression's author."""


def to_json(value: Any) -> Any:
    """``value`` as JSON.

    Bytes become base64, times RFC 3339, durations seconds as in ``90.5s`` (all as the CEL specification converts them),
    types their name. Map keys that are numbers or booleans become strings. Raises ``NotJsonError``.
    """
    if convert := _CONVERSIONS.get(type(value)):
        return convert(value)
    if hasattr(value, "name"):
        return str(value.name()).lower()
    raise NotJsonError(f"the result is a {type(value).__name__}, which has no JSON form")


def _text(value: str) -> str:
    if "\0" in value:
        raise NotJsonError("the result contains a NUL character, which cannot be stored")
    return value


def _integer(value: int) -> int:
    if value not in _INT64:
        raise NotJsonError(f"the result {value} is beyond 64 bit integers")
    return value


def _double(value: float) -> float:
    if not math.isfinite(value):
        raise NotJsonError(f"the result is {value}, which JSON cannot express")
    return value


def _list(value: list[Any]) -> list[Any]:
    return [to_json(item) for item in value]


def _object(value: dict[Any, Any]) -> dict[str, Any]:
    result = {_key(key): to_json(item) for key, item in value.items()}
    if len(result) != len(value):
        raise NotJsonError("two keys of the resulting map become the same string")
    return result


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else _text(str(key))


def _base64(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _seconds(value: timedelta) -> str:
    return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"


def _same(value: Any) -> Any:
    return value


_CONVERSIONS: Final[Mapping[type, Callable[[Any], Any]]] = {
    type(None): _same,
    bool: _same,
    str: _text,
    int: _integer,
    float: _double,
    list: _list,
    dict: _object,
    bytes: _base64,
    bytearray: _base64,
    datetime: _rfc3339,
    timedelta: _seconds,
}
