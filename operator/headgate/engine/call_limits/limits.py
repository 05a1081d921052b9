"""Lets calls of the API pass, as many as the plan has an hour, and as many as one caller may make in a minute.

Postgres counts. Where there is Redis, Postgres lends it some of what is left, which replicas spend without asking, and
each keeps a ledger of what it spent. When Redis is gone, all tell what they spent, and what nobody did is given back.
So never more pass than Postgres has counted, whatever a replica sees of Redis, and nothing is lost unless a replica
dies. Calls of a workspace that come at once are decided on together.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from headgate.engine.call_limits.batch import Batch, CallDecision, LimitState
from headgate.engine.call_limits.counting import CallCounting
from headgate.engine.call_limits.ledger import Ledger
from headgate.engine.context import Context
from headgate.store.lent_calls import LentCalls
from headgate.store.rate_limits import ALL, Counter

__all__ = ["CallDecision", "CallLimits", "LimitState"]

REFUSED_SECONDS = 0.5
"""How long a refusal is believed without asking again."""
_AGAIN_SECONDS = 0.02
_ROUNDS = 50
"""For about a second a caller waits for what others give back, or bring."""


@dataclass
class _Lane:
    """Calls of one workspace: those that wait are decided on together, when those before them have been."""

    ledger: Ledger
    waiting: list[tuple[str, asyncio.Future[CallDecision]]] = field(default_factory=list)
    serving: asyncio.Task[None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    refused: dict[str, tuple[float, CallDecision]] = field(default_factory=dict)
    in_vain: frozenset[Counter] = frozenset()
    """Counters of which others never told what they spent."""

    @property
    def is_idle(self) -> bool:
        return not self.waiting and self.serving is None and self.ledger.is_empty and not self.refused


class CallLimits:
    """Counts calls. All methods raise ``DatabaseUnavailable`` when Postgres is not there: repeat them later."""

    def __init__(
        self,
        context: Context,
        *,
        replica: UUID,
        burst: int,
        monotonic: Callable[[], float],
        lent: LentCalls | None = None,
    ) -> None:
        """``replica`` is this process' alone; ``burst`` is what one caller may make in a minute."""
        self._counting = CallCounting(context, replica=replica, burst=burst, monotonic=monotonic, lent=lent)
        self._monotonic = monotonic
        self._lanes: dict[UUID, _Lane] = {}
        self.by_loan = 0
        """Calls that passed without asking Postgres."""
        self.asked = 0
        """Calls that Postgres was asked about."""

    @property
    def redis_there(self) -> bool | None:
        """Whether Redis answered when it was asked last; None where there is none."""
        return self._counting.redis_there

    async def take(self, workspace_id: UUID, subject: str) -> CallDecision:
        """Let a call of the workspace pass, or not. ``subject`` is who calls, in 1 to 64 bytes."""
        lane = self._lane(workspace_id)
        if (known := self._refusal(lane, subject)) is not None:
            return known
        decided: asyncio.Future[CallDecision] = asyncio.get_running_loop().create_future()
        lane.waiting.append((subject, decided))
        if lane.serving is None:
            lane.serving = asyncio.create_task(self._serve(workspace_id, lane))
        return await decided

    async def look(self) -> None:
        """Give back what was lent where Redis, or another replica, is done with it, though nobody calls here.

        To be called about twice a second.
        """
        settling: Mapping[UUID, frozenset[Counter]] = {}
        if any(not lane.ledger.is_empty for lane in self._lanes.values()):
            await self._counting.look()
            settling = await self._counting.settling()
        for workspace_id, lane in list(self._lanes.items()):
            # One that is being served reckons by itself, and may be waiting for another replica to.
            if lane.serving is not None:
                continue
            async with lane.lock:
                now = self._monotonic()
                lane.ledger.forget(now)
                lane.ledger.close(settling.get(workspace_id, frozenset()))
                lane.refused = {name: known for name, known in lane.refused.items() if known[0] > now}
                await self._counting.reckon(workspace_id, lane.ledger)
                if lane.is_idle:
                    del self._lanes[workspace_id]

    async def aclose(self) -> None:
        """Tell what was spent, so that others need not wait for it."""
        for workspace_id, lane in list(self._lanes.items()):
            async with lane.lock:
                lane.ledger.close()
                await self._counting.reckon(workspace_id, lane.ledger)

    def _lane(self, workspace_id: UUID) -> _Lane:
        if workspace_id not in self._lanes:
            self._lanes[workspace_id] = _Lane(Ledger(self._counting.epoch))
        return self._lanes[workspace_id]

    def _refusal(self, lane: _Lane, subject: str) -> CallDecision | None:
        for name in (ALL, subject):
            if (known := lane.refused.get(name)) is not None and self._monotonic() < known[0]:
                return known[1]
        return None

    async def _serve(self, workspace_id: UUID, lane: _Lane) -> None:
        try:
            while lane.waiting:
                calls, lane.waiting = lane.waiting, []
                try:
                    async with lane.lock:
                        batch = await self._decide(workspace_id, lane, Batch(Tally(subject for subject, _ in calls)))
                except Exception as error:
                    _fail(calls, error)
                else:
                    _tell(calls, batch)
        finally:
            lane.serving = None

    async def _decide(self, workspace_id: UUID, lane: _Lane, batch: Batch) -> Batch:
        settling: frozenset[Counter] = frozenset()
        for number in range(_ROUNDS):
            outlook = await self._counting.round(workspace_id, lane.ledger, batch, first=number == 0)
            settling = outlook.settling - lane.in_vain
            if not batch.lacking or not (settling or outlook.coming):
                break
            if number:
                await asyncio.sleep(_AGAIN_SECONDS)
        else:
            lane.in_vain |= settling
        self.by_loan += batch.by_loan
        self.asked += sum(batch.wanted.values()) - batch.by_loan
        self._remember(lane, batch)
        return batch

    def _remember(self, lane: _Lane, batch: Batch) -> None:
        for subject in batch.lacking:
            hourly, burst = batch.states[ALL], batch.states[subject]
            name, ends_in = (subject, burst.ends_in) if hourly.left else (ALL, hourly.ends_in)
            until = self._monotonic() + min(REFUSED_SECONDS, ends_in.total_seconds())
            known = burst if hourly.left else None
            lane.refused[name] = (until, CallDecision(passed=False, hourly=hourly, burst=known))


def _tell(calls: list[tuple[str, asyncio.Future[CallDecision]]], batch: Batch) -> None:
    """Those who came first pass."""
    passed = Tally(batch.passed)
    for subject, decided in calls:
        passes = passed[subject] > 0
        passed[subject] -= passes
        if not decided.done():
            decided.set_result(batch.decision(subject, passed=passes))


def _fail(calls: list[tuple[str, asyncio.Future[CallDecision]]], error: Exception) -> None:
    for _, decided in calls:
        if not decided.done():
            decided.set_exception(error)
