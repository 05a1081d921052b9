"""Following a run until it is over: by its events, and by looking where these do not come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from uuid import UUID

from headgate.cli.progress import RUN_OVER, Progress
from headgate.client.api import Client, Run
from headgate.client.errors import CallFailed, OutcomeUnknown, Refused, Unreachable
from headgate.client.events import events

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
_LOOKS = 30
"""How often in a row the server may not be there: about eight minutes."""
_FOR_GOOD = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Follower:
    """Follows one run. Nothing that happens between two connections is missed: events go on behind the last one."""

    def __init__(
        self,
        client: Client,
        workspace: str,
        run_id: UUID,
        show: Callable[[Progress], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``show`` is given how far the run has come, each time that it has come further."""
        self._client = client
        self._workspace = workspace
        self._run_id = str(run_id)
        self._show = show
        self._sleep = sleep
        self._progress = Progress()
        self._position: str | None = None
        self._heard = self._looked = False

    async def until_over(self) -> Run:
        """The run, once it is over. Raises ``CallFailed`` where it cannot be followed any more."""
        pause, missed = FIRST_PAUSE, 0
        while True:
            self._heard = False
            # What happened before a look would be told once more by events from the beginning: then it is looked only.
            wanted = await self._listen() if self._position or not self._looked else LONGEST_PAUSE / 2
            if self._heard:
                pause = FIRST_PAUSE
            try:
                run = await self._client.get_run(self._workspace, self._run_id)
            except (Unreachable, OutcomeUnknown):
                missed += 1
                if missed == _LOOKS:
                    raise
            else:
                missed, self._looked = 0, True
                self._progress = Progress.of(run)
                self._show(self._progress)
                if run["phase"] in RUN_OVER:
                    return run
            await self._sleep(max(pause, wanted))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _listen(self) -> float:
        """Take events as long as they come; how many seconds the server wants to be left alone then."""
        try:
            stream = self._client.follow_run(self._workspace, self._run_id, last_event_id=self._position)
            async with stream as answer:
                async for event in events(answer.pieces):
                    self._heard = True
                    self._position = event.id or self._position
                    if event.name in ("lost", "end"):
                        return 0
                    self._progress = self._progress.after(event)
                    self._show(self._progress)
        except Refused as error:
            if error.status in _FOR_GOOD:
                raise
            return error.retry_after or 0
        except CallFailed:
            return 0
        return 0
