"""Looks for all who follow."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import cast
from uuid import UUID

from headgate.engine.reading.run_changes import News as Found
from headgate.engine.reading.run_changes import RunChanges
from headgate.gateway.news import News


class Stubborn:
    """Changes whose query goes on when it is cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.looks = 0

    async def news(self, _workspaces: Collection[UUID], _since: int) -> Found:
        self.looks += 1
        self.asked.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return Found(frozenset(), 0)
        raise AssertionError("nobody followed any more")


async def test_nobody_looks_once_nobody_follows_though_the_query_swallows_that() -> None:
    changes = Stubborn()
    news = News(cast("RunChanges", changes), seconds=0.0)
    before = asyncio.all_tasks()
    with news.of(UUID(int=1)):
        await changes.asked.wait()
        [looking] = asyncio.all_tasks() - before
    await asyncio.wait([looking])
    assert looking.cancelled()
    assert changes.looks == 1
