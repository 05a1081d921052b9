"""Takes calls from where they are: what Postgres lent to Redis first, and Postgres for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from headgate.engine.call_limits.batch import Batch, Purse, state_in_postgres, state_in_redis
from headgate.engine.call_limits.ledger import Ledger
from headgate.engine.context import Context
from headgate.store import rate_limits
from headgate.store.at_once import OneStatement
from headgate.store.database import Transaction
from headgate.store.lent_calls import Deposit, Handed, LentCalls, Spent
from headgate.store.rate_limits import ALL, Counter, Loans, Taken, Wanted
from headgate.store.redis import RedisAway

LOAN = 64
"""Calls that are lent at once at most; a quarter of what is left where that is less."""


@dataclass(frozen=True)
class Outlook:
    """Whether there may be room in a moment for calls that did not pass."""

    settling: frozenset[Counter] = frozenset()
    """Counters of which others are about to give something back."""
    coming: bool = False
    """Whether others may be bringing a loan."""


class CallCounting:
    """Counts calls of workspaces. Whoever uses it does so for one workspace at a time, with its ledger."""

    def __init__(
        self, context: Context, *, replica: UUID, burst: int, monotonic: Callable[[], float], lent: LentCalls | None
    ) -> None:
        """``replica`` is this process' alone; ``burst`` is what one caller may make in a minute."""
        self._context = context
        self._replica = replica
        self._burst = burst
        self._monotonic = monotonic
        self._lent = lent

    @property
    def epoch(self) -> int:
        """Another one whenever Redis may have forgotten something."""
        return 0 if self._lent is None else self._lent.epoch

    @property
    def redis_there(self) -> bool | None:
        """Whether Redis answered when it was asked last; None where there is none."""
        return None if self._lent is None else self._lent.there

    async def look(self) -> None:
        """Ask Redis whether it is there, and the same as before: ``epoch`` says it."""
        if self._lent is not None:
            try:
                await self._lent.look()
            except RedisAway:
                return

    async def settling(self) -> Mapping[UUID, frozenset[Counter]]:
        """What is being given back, by workspace: who spends of it has to tell what they spent."""
        async with self._context.database.system() as tx:
            return await rate_limits.settling(tx)

    async def round(self, workspace_id: UUID, ledger: Ledger, batch: Batch, *, first: bool) -> Outlook:
        """Let calls of the batch pass, as many as there is room for. ``first`` is whether it was not tried before."""
        handed = await self._hand(workspace_id, batch.lacking)
        ledger.forget(self._monotonic())
        if handed is not None:
            ledger.seen(handed.birth)
        await self.reckon(workspace_id, ledger)
        purse = Purse(await self._spendable(workspace_id, ledger, handed))
        for subject, calls in batch.lacking.items():
            passing = min(calls, purse[subject], purse[ALL])
            self._spend(ledger, purse, subject, passing)
            self._spend(ledger, purse, ALL, passing)
            batch.passed[subject] += passing
            batch.by_loan += passing
        if handed is not None:
            batch.states |= {name: state_in_redis(spent) for name, spent in handed.by_subject.items()}
        if not batch.lacking:
            return Outlook()
        taken = await self._take(workspace_id, batch.lacking, purse, handed)
        for subject, item in taken.items():
            self._spend(ledger, purse, subject, item.granted)
            if subject != ALL:
                batch.passed[subject] += item.granted
        batch.states |= {name: state_in_postgres(item, handed) for name, item in taken.items()}
        if handed is not None:
            await self._give(workspace_id, ledger, _deposits(purse, taken.values()), lacking=handed.lacking)
        settling = frozenset(item.counter for item in taken.values() if item.settling)
        ledger.close(settling)
        await self.reckon(workspace_id, ledger)
        # What another replica was lent, before Postgres said that nothing is left, is in Redis by the second time, or
        # it is coming.
        return Outlook(settling, coming=handed is not None and (first or handed.coming > 0))

    async def reckon(self, workspace_id: UUID, ledger: Ledger) -> None:
        """Spend no more of what Redis may have forgotten, and tell Postgres what was spent."""
        if ledger.epoch != self.epoch:
            ledger.close()
            ledger.epoch = self.epoch
        if spent := ledger.to_settle:
            await rate_limits.settle(self._transaction(workspace_id), workspace_id, self._replica, spent)
            ledger.settled(spent)

    async def _hand(self, workspace_id: UUID, lacking: Mapping[str, int]) -> Handed | None:
        if self._lent is None:
            return None
        try:
            return await self._lent.take(workspace_id, {**lacking, ALL: sum(lacking.values())})
        except RedisAway:
            return None

    async def _spendable(self, workspace_id: UUID, ledger: Ledger, handed: Handed | None) -> Mapping[str, Spent]:
        """What was handed of counters that this replica may spend of, which Postgres is asked the first time."""
        found = {name: item for name, item in handed.by_subject.items() if item.calls} if handed is not None else {}
        unknown = {item.counter: item for item in found.values() if not ledger.is_open(item.counter)}
        if unknown:
            tx = self._transaction(workspace_id)
            joined = await rate_limits.join(tx, workspace_id, self._replica, list(unknown))
            for counter in joined:
                ledger.open(counter, self._monotonic() + unknown[counter].ends_in.total_seconds())
        return {name: item for name, item in found.items() if ledger.is_open(item.counter)}

    def _spend(self, ledger: Ledger, purse: Purse, subject: str, calls: int) -> None:
        if (spent := purse.spend(subject, calls)) is not None:
            ledger.spend(*spent)

    async def _take(
        self, workspace_id: UUID, lacking: Mapping[str, int], purse: Purse, handed: Handed | None
    ) -> dict[str, Taken]:
        loans = Loans(self._replica)
        if handed is not None:
            hourly = handed.by_subject.get(ALL)
            enough = hourly is not None and hourly.left >= LOAN
            # One loan at a time: so much is lost where Redis and a replica die together.
            loans = Loans(self._replica) if handed.coming else Loans(self._replica, 0 if enough else LOAN, LOAN)
        wanted = {subject: Wanted(calls, min(calls, purse[subject])) for subject, calls in lacking.items()}
        tx = self._transaction(workspace_id)
        return await rate_limits.take(tx, workspace_id, wanted, paid_hourly=purse[ALL], burst=self._burst, loans=loans)

    def _transaction(self, workspace_id: UUID) -> Transaction:
        # Where it is carried out again, calls are counted twice: fewer pass than might, and never more.
        return OneStatement(self._context.database, workspace_id)

    async def _give(self, workspace_id: UUID, ledger: Ledger, deposits: Sequence[Deposit], *, lacking: bool) -> None:
        if self._lent is None or not (deposits or lacking):
            return
        for deposit in deposits:
            if deposit.ends_in is not None:
                ledger.open(deposit.counter, self._monotonic() + deposit.ends_in.total_seconds())
        try:
            ledger.seen(await self._lent.give(workspace_id, deposits, lacking=lacking))
        except RedisAway:
            # What was lent and never came is among what nobody spent.
            return


def _deposits(purse: Purse, taken: Iterable[Taken]) -> list[Deposit]:
    """What was lent, and what was not needed."""
    lent = [Deposit(item.counter, item.lent, item.ends_in, item.left, item.limit) for item in taken if item.lent]
    return lent + [Deposit(counter, calls) for counter, calls in purse.rest.items()]
