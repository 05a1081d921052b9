"""Ends of attempts that are told at once are recorded together."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from headgate.engine.context import Context, run_key
from headgate.engine.steps.completion import Recorded, Then, bounded, complete, complete_in
from headgate.engine.steps.going_on import Claimant
from headgate.engine.together import Together
from headgate.engine.types import Effects, LeaseLost, Outcome, TaskRef
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

    async def complete(
        self, ref: TaskRef, outcome: Outcome, *, claimant: Claimant | None = None, then: Then | None = None
    ) -> Recorded:
        """``completion.complete``."""
        return await self.do(ref.workspace_id, _End(ref, outcome, claimant, then))

    async def alone(self, what: _End, *, wait: bool) -> Recorded:
        """``completion.complete``."""
        claimant = what.claimant
        return await complete(self._context, what.ref, what.outcome, claimant=claimant, then=what.then, wait=wait)

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
