from __future__ import annotations

import pytest

from headgate.cluster.errors import Unreachable
from headgate.desired.context import ClusterFacts
from headgate.reconcile.facts import Facts


class World:
    def __init__(self, *answers: ClusterFacts | Exception) -> None:
        self.answers = list(answers)
        self.changes = 0
        self.pauses: list[float] = []
        self.facts = Facts(self.answer, changed=self.changed, sleep=self.pause)

    async def answer(self) -> ClusterFacts:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def changed(self) -> None:
        self.changes += 1

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def at(*addresses: str) -> ClusterFacts:
    return ClusterFacts("headgate-system", api_addresses=addresses)


def test_nothing_is_known_before_it_was_learnt() -> None:
    with pytest.raises(LookupError):
        World().facts.get()


async def test_at_the_start_it_asks_until_there_is_an_answer() -> None:
    world = World(Unreachable("away"), Unreachable("away"), at("10.0.0.1"))

    await world.facts.learn()

    assert world.facts.get() == at("10.0.0.1")
    assert len(world.pauses) == 2
    assert world.changes == 0


async def test_a_change_is_told_and_the_same_again_is_not() -> None:
    world = World(at("10.0.0.1"), at("10.0.0.1"), at("10.0.0.2"))
    await world.facts.learn()

    await world.facts.look()
    assert world.changes == 0
    await world.facts.look()

    assert world.changes == 1
    assert world.facts.get() == at("10.0.0.2")


async def test_what_was_known_stays_where_there_is_no_answer() -> None:
    world = World(at("10.0.0.1"), Unreachable("away"))
    await world.facts.learn()

    assert not await world.facts.look()

    assert world.facts.get() == at("10.0.0.1")
