"""Requests and answers of the API server as they go over the wire: paths, queries, bodies, and what may be repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from headgate.cluster.errors import ApiError
from headgate.desired.keys import ApiResource
from headgate.domain.json_bytes import decode

Object = dict[str, Any]
_COUNTED_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


def selectors(labels: str, fields: str) -> dict[str, str]:
    """The part of a list's or a watch's query that says which objects are asked for."""
    asked = {"labelSelector": labels, "fieldSelector": fields}
    return {name: selector for name, selector in asked.items() if selector}


def pause_before_repeating(method: str, error: ApiError, attempt: int) -> float | None:
    """Seconds until a request is repeated that was refused but not for what is in it; None where it is not."""
    if error.status == HTTPStatus.TOO_MANY_REQUESTS or (
        error.status == HTTPStatus.SERVICE_UNAVAILABLE and error.retry_after is not None
    ):
        return min(error.retry_after or 1.0, _LONGEST_PAUSE_SECONDS)
    if method == "POST" and error.is_conflict:
        # What is new conflicts with nothing: others were counted in its namespace's ResourceQuotas at the same time.
        return _COUNTED_SECONDS * float(2 ** (attempt - 1))
    return None


def path(resource: ApiResource, namespace: str = "", name: str = "") -> str:
    """The path of a kind's list, or of one object."""
    parts = ["/apis", resource.group, resource.version] if resource.group else ["/api", resource.version]
    if namespace and resource.namespaced:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    if name:
        parts.append(name)
    return "/".join(parts)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a stream of any length each, without their ends; a last one without an end is cut off and left out.

    (aiohttp's own lines must fit into its buffer.)
    """
    pending: list[bytes] = []
    async for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            pending.append(line)
            if whole := b"".join(pending):
                yield whole
            pending.clear()
        if rest:
            pending.append(rest)


def parsed(raw: bytes) -> Object:
    """The body of an answer; what is no JSON object becomes its ``message``."""
    try:
        parsed = decode(raw) if raw else {}
    except ValueError:
        return {"message": raw[:256].decode(errors="replace")}
    return parsed if isinstance(parsed, dict) else {"message": str(parsed)[:256]}


def seconds(header: str | None) -> float | None:
    """What a Retry-After header says, where it says seconds."""
    return float(header) if header is not None and header.isdecimal() else None
