"""Where requests of runners wait for something to do, until somebody rings, or hands it to them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

import structlog

from headgate.domain.runner_task import RunnerTask
from headgate.gateway.waiting_places import Group, Known, Place, Seeker, rest, wake

NET_SECONDS = 2.0
"""Between looks without a ring: what fell due by itself shows then."""
_log = structlog.get_logger("headgate.gateway")


class WaitingRoom:
    """Wakes one request for each thing to do, the one that waits longest first. For one event loop."""

    def __init__(self, *, net_seconds: float = NET_SECONDS) -> None:
        self._net_seconds = net_seconds
        self._groups: dict[str, dict[Group, Known]] = defaultdict(dict)
        self._numbers = count()
        self._giving_back: set[asyncio.Task[None]] = set()

    def ring(self, workspace: str, kinds: Iterable[str]) -> bool:
        """There is something to do of each of these kinds. Whether somebody waited here for all of it.

        In which namespace it is, is not told: in each somebody is woken. Who is kept for something else counts as
        nobody, but looks where nothing comes of that.
        """
        groups = self._groups.get(workspace, {})
        # Where one of several namespaces is concerned, it may be one for which nobody waits here.
        served = len({group.namespace for group, known in groups.items() if known.places}) == 1
        for kind in kinds:
            concerned = [known for group, known in groups.items() if kind in group.kinds]
            for known in concerned:
                known.rings += 1
                known.nothing_at = None
            woken = [wake(known) for known in concerned]
            served = served and any(woken)
        return served

    async def first(self, workspace: str, seeker: Seeker, seconds: float) -> RunnerTask | None:
        """What the seeker finds within that time: at once, after a ring, or by looking from time to time; or is given.

        Who comes where a look has just found nothing, and nobody rang since, does not look at once. Nobody looks for
        one who is ``gone``, as what is found would be nobody's; what they were given is given back.
        """
        clock = asyncio.get_running_loop().time
        claimant, until = seeker.claimant, clock() + seconds
        group = Group(workspace, claimant.namespace, frozenset(claimant.kinds))
        rests = self._rests(group, clock())
        if rests > seconds:
            rests = 0.0
        while True:
            # Entered before it is looked: who rings meanwhile is heard.
            place, answer = self._enter(group, seeker), None
            try:
                if not rests:
                    answer, rests = await self._look(place), self._net_seconds
                if answer is None:
                    await rest(place, rests, until)
                    if place.given is not None and not await seeker.gone():
                        answer = place.given
                rests = 0.0
            finally:
                self._leave(place)
                if place.given is not None and place.given is not answer:
                    self.give_back(seeker, place.given)
            if answer is not None or place.given is not None or clock() >= until:
                if place.rung:
                    # What was rung for may be another thing than what was found.
                    self._pass_on(group)
                return answer
            if await seeker.gone():
                self._pass_on(group)
                return None

    def of(self, workspace: str) -> WorkspaceWaiters:
        """Those of the workspace, to one of whom something may be handed."""
        return WorkspaceWaiters(self, workspace)

    def free(self, workspace: str, namespace: str) -> Iterator[Place]:
        """Those to whom something may be handed."""
        for group, known in self._groups.get(workspace, {}).items():
            if group.namespace == namespace:
                yield from (place for place in known.places if place.free)

    def give_back(self, seeker: Seeker, task: RunnerTask) -> None:
        """Have it given back at once. Where that fails, its lease ends."""

        async def give() -> None:
            try:
                await seeker.give_back(task)
            except Exception as error:
                _log.warning("an attempt that nobody took was not given back", error=type(error).__name__)

        giving = asyncio.create_task(give())
        self._giving_back.add(giving)
        giving.add_done_callback(self._giving_back.discard)

    async def _look(self, place: Place) -> RunnerTask | None:
        known = self._known(place.group)
        rings, begun = known.rings, asyncio.get_running_loop().time()
        try:
            found = await place.seeker.look()
        except BaseException:
            # Others have looked past what it had taken for the moment.
            known.rings += 1
            known.nothing_at = None
            raise
        if found is None and known.rings == rings:
            known.nothing_at = begun
        return found

    def _pass_on(self, group: Group) -> None:
        known = self._groups.get(group.workspace, {}).get(group)
        if known is not None:
            wake(known)

    def _rests(self, group: Group, now: float) -> float:
        """For how long who comes now need not look."""
        known = self._groups.get(group.workspace, {}).get(group)
        if known is None or known.nothing_at is None:
            return 0.0
        return max(0.0, known.nothing_at + self._net_seconds - now)

    def _known(self, group: Group) -> Known:
        return self._groups[group.workspace].setdefault(group, Known())

    def _enter(self, group: Group, seeker: Seeker) -> Place:
        place = Place(self.give_back, group, seeker, next(self._numbers))
        self._known(group).places.append(place)
        return place

    def _leave(self, place: Place) -> None:
        place.left, place.resting = True, False
        self._known(place.group).places.remove(place)
        groups, now = self._groups[place.group.workspace], asyncio.get_running_loop().time()
        for group in [group for group, known in groups.items() if not known.places and not self._rests(group, now)]:
            del groups[group]
        if not groups:
            del self._groups[place.group.workspace]


@dataclass(frozen=True)
class WorkspaceWaiters:
    """Those of one workspace who wait in a room: the engine's ``Waiters``."""

    room: WaitingRoom
    workspace: str

    def kinds(self, namespace: str, wanted: Collection[str]) -> frozenset[str]:
        """For what those of the namespace wait who have room for something ``wanted``."""
        return frozenset().union(*(place.group.kinds for place in self._fit(namespace, wanted)))

    def choose(self, namespace: str, wanted: Collection[str], among: Collection[str]) -> Place | None:
        """Keep the one who waits longest of those with room for something ``wanted``, and for nothing but ``among``."""
        fit = (place for place in self._fit(namespace, wanted) if place.group.kinds.issubset(among))
        place = min(fit, key=lambda each: each.number, default=None)
        if place is not None:
            place.kept = True
        return place

    def _fit(self, namespace: str, wanted: Collection[str]) -> Iterator[Place]:
        return (
            place for place in self.room.free(self.workspace, namespace) if not place.group.kinds.isdisjoint(wanted)
        )
