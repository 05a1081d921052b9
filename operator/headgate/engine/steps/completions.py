"""Ends of attempts that are told at once are recorded together."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from headgate.engine.context import Context, run_key
from headgate.engine.steps.completion import Recorded, Then, complete, complete_foreseen, complete_in
from headgate.engine.steps.foreseen import Foresight, can_be_recorded
from headgate.engine.steps.going_on import Claimant
from headgate.engine.steps.told import bounded
from headgate.engine.together import Together
from headgate.engine.types import Effects, LeaseLost, Outcome, TaskRef
from headgate.store.at_once import NotAtOnce
from headgate.store.database import Transaction


@dataclass(frozen=True)
class _End:
    ref: TaskRef
    outcome: Outcome
    claimant: Claimant | None
    then: Then | None


class Completions(Together[_End, Recorded]):
    """Records ends of attempts. Two of one run are never recorded in one transaction: the later one sees the other."""

    own = (LeaseLost,)

    def __init__(self, context: Context) -> None:
        super().__init__(context.database)
        self._context = context
        self._foresight = Foresight()

    async def complete(
        self, ref: TaskRef, outcome: Outcome, *, claimant: Claimant | None = None, then: Then | None = None
    ) -> Recorded:
        """``completion.complete``."""
        return await self.do(ref.workspace_id, _End(ref, outcome, claimant, then))

    async def alone(self, what: _End, *, wait: bool) -> Recorded:
        """``completion.complete``, or what does the same for less where the run is as it was foreseen."""
        recorded = await self._as_foreseen(what) or await complete(
            self._context, what.ref, what.outcome, claimant=what.claimant, then=what.then, wait=wait
        )
        if recorded.following is not None and recorded.foreseen is not None:
            self._foresight.keep(recorded.following.ref, recorded.foreseen)
        return recorded

    async def _as_foreseen(self, what: _End) -> Recorded | None:
        """None where the run is not as it was foreseen; nothing was written then."""
        foreseen = self._foresight.take(what.ref)
        if foreseen is None or what.claimant is None or what.then is not None:
            return None
        outcome = bounded(what.outcome)
        if not can_be_recorded(foreseen, outcome, what.claimant):
            return None
        try:
            return await complete_foreseen(self._context, foreseen, what.ref, outcome, what.claimant)
        except NotAtOnce:
            return None

    async def beside(self, what: _End, tx: Transaction) -> Recorded:
        """``completion.complete_in``."""
        key = run_key(what.ref.workspace_id, what.ref.run_id)
        if key is None:
            return Recorded(Effects())
        return await complete_in(self._context, tx, key, what.ref, bounded(what.outcome), what.claimant, what.then)

    def key(self, what: _End) -> UUID:
        """The run."""
        return what.ref.run_id

    def lock(self, what: _End) -> UUID:
        """The run."""
        return what.ref.run_id
