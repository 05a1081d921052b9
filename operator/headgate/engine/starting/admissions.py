"""Runs that are asked for at once are admitted together."""

from __future__ import annotations

from headgate.engine.context import Context
from headgate.engine.starting.admission import admit, admit_in
from headgate.engine.together import Together
from headgate.engine.types import Admitted, Effects, Refused, RunRequest
from headgate.store.database import Transaction

_Answer = tuple[Admitted | Refused, Effects, bool]


class Admissions(Together[RunRequest, _Answer]):
    """Admits runs. Requests with one key are never in one transaction: the later one finds what the other made."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.database)
        self._context = context

    async def admit(self, request: RunRequest) -> _Answer:
        """``admission.admit``."""
        return await self.do(request.workspace_id, request)

    async def alone(self, what: RunRequest, *, wait: bool) -> _Answer:
        """``admission.admit``: nobody else holds a run that is not there yet."""
        return await admit(self._context, what)

    async def beside(self, what: RunRequest, tx: Transaction) -> _Answer:
        """``admission.admit_in``."""
        return await admit_in(self._context, tx, what, self._context.now())

    def key(self, what: RunRequest) -> str:
        """The request's key."""
        return what.key
