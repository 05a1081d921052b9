"""Calls of a workspace that are decided on together, and what Redis gave for them."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from headgate.store.lent_calls import Handed, Spent
from headgate.store.rate_limits import ALL, Counter, Taken


@dataclass(frozen=True)
class LimitState:
    """A limit after a call was decided on."""

    limit: int
    left: int
    """Calls that may still pass, as far as is known: others call as well."""
    ends_in: timedelta
    """Until all of it is there again."""


@dataclass(frozen=True)
class CallDecision:
    """Whether a call passes."""

    passed: bool
    hourly: LimitState
    """What the plan gives the workspace."""
    burst: LimitState | None = None
    """What the caller has; None where that was not asked, as the workspace has nothing left."""


@dataclass
class Batch:
    """Calls, by who makes them."""

    wanted: Mapping[str, int]
    passed: Tally[str] = field(default_factory=Tally)
    by_loan: int = 0
    """Those that passed without asking Postgres."""
    states: dict[str, LimitState] = field(default_factory=dict)

    @property
    def lacking(self) -> dict[str, int]:
        """Calls that did not pass yet."""
        return {name: calls - self.passed[name] for name, calls in self.wanted.items() if calls > self.passed[name]}

    def decision(self, subject: str, *, passed: bool) -> CallDecision:
        """What a caller is told."""
        return CallDecision(passed, self.states[ALL], self.states[subject])


class Purse:
    """Calls that Redis gave, and that may be spent. A call takes one of the workspace's and one of its caller's."""

    def __init__(self, spent: Mapping[str, Spent]) -> None:
        """By subject, ``ALL`` among them; without what may not be spent."""
        self._calls = Tally({name: item.calls for name, item in spent.items()})
        self._counters = {name: item.counter for name, item in spent.items()}

    def __getitem__(self, subject: str) -> int:
        """How many there are."""
        return self._calls[subject]

    def spend(self, subject: str, wanted: int) -> tuple[Counter, int] | None:
        """Take so many out, or as many as there are. Which counter's they were; None for none."""
        calls = min(wanted, self._calls[subject])
        if not calls:
            return None
        self._calls[subject] -= calls
        return self._counters[subject], calls

    @property
    def rest(self) -> Mapping[Counter, int]:
        """What nobody needed."""
        return {self._counters[name]: calls for name, calls in self._calls.items() if calls}


def state_in_redis(spent: Spent) -> LimitState:
    """A limit as Redis knows it: what Postgres had left is as old as the last loan."""
    return LimitState(spent.limit, spent.left + spent.beyond, spent.ends_in)


def state_in_postgres(taken: Taken, handed: Handed | None) -> LimitState:
    """A limit as Postgres counts it, with what is lent and not spent yet."""
    lent = handed.by_subject.get(taken.counter.subject) if handed is not None else None
    return LimitState(taken.limit, taken.left + taken.lent + (lent.left if lent is not None else 0), taken.ends_in)
