"""Lists that come page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

PAGE = 200


async def pages(
    fetch: Callable[[str | None, int], Awaitable[Mapping[str, Any]]], limit: int | None, cursor: str | None = None
) -> tuple[list[Any], str | None]:
    """At most ``limit`` items from ``cursor`` on, all of them without a limit; and the cursor behind them."""
    items: list[Any] = []
    while True:
        wanted = PAGE if limit is None else min(PAGE, limit - len(items))
        page = await fetch(cursor, wanted)
        items += page["items"]
        cursor = page["nextCursor"]
        if cursor is None or (limit is not None and len(items) >= limit):
            return items, cursor
