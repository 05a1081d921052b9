"""Called runs that wait for each other's mutexes and limits, so that none of them ever goes on. Pure.

A run that waits holds nothing itself; what holds others up are its callers, which wait for its end. So runs stand still
where each waits for callers of others of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

DEADLOCK = "Deadlock"
ADVICE = "let all workflows take them in the same order"


@dataclass(frozen=True)
class Need:
    """One thing that a run waits for."""

    what: str
    """As a person reads it, such as ``mutex 'orders'``."""
    holders: frozenset[UUID]
    """The runs under way that have it, but for those that wait for the end of this run."""
    spare: int = 0
    """How many of these may go on having it: none of a mutex, one less than there may be of a limit."""


@dataclass(frozen=True)
class WaitingRun:
    """A called run that waits for limits of its own."""

    id: UUID
    workflow: str
    callers: tuple[UUID, ...]
    """The runs that wait for its end."""
    needs: tuple[Need, ...]


@dataclass(frozen=True)
class Deadlock:
    """What is to fail, so that others go on."""

    run_id: UUID
    message: str
    """Who waits for whom."""


def deadlock(waiting: Collection[WaitingRun]) -> Deadlock | None:
    """The youngest run of those that wait for each other; None where each may go on some day.

    Whoever is not told of counts as one that will end, so that a part of what waits never gives a wrong answer.
    """
    stuck = _stuck(waiting)
    # An id holds the time at which it was made.
    for run in sorted(stuck.values(), key=lambda run: run.id, reverse=True):
        circle = _circle(run, stuck)
        if circle is not None:
            return Deadlock(run.id, _told(circle))
    return None


def _stuck(waiting: Iterable[WaitingRun]) -> dict[UUID, WaitingRun]:
    """Those of which none goes on: what is left when all are taken out that may, as others end that were taken out."""
    left = {run.id: run for run in waiting}
    while True:
        held = {caller for run in left.values() for caller in run.callers}
        going = [run.id for run in left.values() if not _kept(run.needs, held)]
        if not going:
            return {run.id: replace(run, needs=_kept(run.needs, held)) for run in left.values()}
        for run_id in going:
            del left[run_id]


def _kept(needs: Iterable[Need], held: Collection[UUID]) -> tuple[Need, ...]:
    """What too many have who never end."""
    return tuple(need for need in needs if sum(holder in held for holder in need.holders) > need.spare)


@dataclass(frozen=True)
class _Hop:
    """A run waits for a holder, which waits for another run."""

    run: WaitingRun
    need: Need
    holder: UUID
    next: UUID


def _circle(start: WaitingRun, stuck: Mapping[UUID, WaitingRun]) -> list[_Hop] | None:
    """The shortest way from the run over those that it waits for back to itself; None where there is none."""
    ways: list[list[_Hop]] = [[]]
    seen: set[UUID] = set()
    for way in ways:
        run = stuck[way[-1].next] if way else start
        for hop in _hops(run, stuck):
            if hop.next == start.id:
                return [*way, hop]
            if hop.next not in seen:
                seen.add(hop.next)
                ways.append([*way, hop])
    return None


def _hops(run: WaitingRun, stuck: Mapping[UUID, WaitingRun]) -> Iterable[_Hop]:
    for need in run.needs:
        for other in sorted(stuck.values(), key=lambda other: other.id):
            for holder in other.callers:
                if holder in need.holders:
                    yield _Hop(run, need, holder, other.id)


def _told(circle: Iterable[_Hop]) -> str:
    parts = [
        f"run {hop.run.id} of workflow {hop.run.workflow} waits for {hop.need.what} of run {hop.holder}, which waits "
        f"for the end of run {hop.next}"
        for hop in circle
    ]
    return f"{DEADLOCK}: {'; '.join(parts)}: {ADVICE}"
