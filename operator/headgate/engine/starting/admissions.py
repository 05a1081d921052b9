"""Runs that are asked for at once are admitted together."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.engine.context import Context
from headgate.engine.starting.admission import admit, admit_in
from headgate.engine.starting.handing import Beginnings, Handing, Waiters
from headgate.engine.together import Together
from headgate.engine.types import Admitted, Effects, Refused, RunRequest
from headgate.store.database import Transaction

_Answer = tuple[Admitted | Refused, Effects, bool]


@dataclass(frozen=True, eq=False)
class Asked:
    """A request, and to whom its run may be handed."""

    request: RunRequest
    handing: Handing


class Admissions(Together[Asked, _Answer]):
    """Admits runs. Requests with one key are never in one transaction: the later one finds what the other made."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.database)
        self._context = context
        self._beginnings = Beginnings()

    async def admit(self, request: RunRequest, waiters: Waiters | None = None) -> _Answer:
        """``admission.admit``. The run is begun by one of the ``waiters``, where it can be."""
        return await self.do(request.workspace_id, Asked(request, Handing(waiters, self._beginnings)))

    async def alone(self, what: Asked, *, wait: bool) -> _Answer:
        """``admission.admit``: nobody else holds a run that is not there yet."""
        with self.telling([what]):
            return await admit(self._context, what.request, what.handing)

    async def beside(self, what: Asked, tx: Transaction) -> _Answer:
        """``admission.admit_in``."""
        return await admit_in(self._context, tx, what.request, self._context.now(), what.handing)

    def over(self, what: Asked, kept: bool | None) -> None:  # noqa: FBT001
        """Who was to begin the run does so, or goes on waiting."""
        if kept:
            what.handing.give()
        elif kept is None:
            what.handing.doubt()
        else:
            what.handing.let_go()

    def key(self, what: Asked) -> str:
        """The request's key."""
        return what.request.key
