"""Who is served alone, who shares a transaction with whom, and what each of them hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import pytest

from headgate.engine.together import Together
from headgate.store.database import Database, Transaction
from headgate.store.errors import Contended, DatabaseUnavailable, RunHeld
from headgate.store.joint import NotTogether

ACME, UMBRA = UUID(int=1), UUID(int=2)
A, B, C, D = (UUID(int=number) for number in range(10, 14))


class NotYours(Exception):  # noqa: N818 - what the work raises for one of them
    pass


@dataclass
class House:
    """A database, and what serves who asks, which notes how."""

    busy: set[UUID] = field(default_factory=set)
    """What somebody else holds."""
    ends: Exception | None = None
    """How shared transactions end."""
    trouble: dict[UUID, Exception] = field(default_factory=dict)
    shared_trouble: dict[UUID, Exception] = field(default_factory=dict)
    """As trouble, which is none for who is alone."""
    alone: list[UUID] = field(default_factory=list)
    batches: list[list[UUID]] = field(default_factory=list)
    workspaces: list[UUID] = field(default_factory=list)
    first: asyncio.Event = field(default_factory=asyncio.Event)
    """Who comes first waits for it."""
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    """Of what somebody else holds."""

    def together(self) -> Served:
        return Served(self)

    @asynccontextmanager
    async def shared(
        self, workspace_id: UUID, locks: Sequence[UUID]
    ) -> AsyncIterator[tuple[Transaction, frozenset[UUID]]]:
        self.batches.append([])
        self.workspaces.append(workspace_id)
        yield cast(Any, Transaction)(None), frozenset(locks) - self.busy
        if self.ends is not None:
            raise self.ends


class Served(Together[UUID, str]):
    own = (NotYours,)

    def __init__(self, house: House) -> None:
        super().__init__(cast(Database, house))
        self.house = house

    async def alone(self, what: UUID, *, wait: bool) -> str:
        house = self.house
        if what in house.busy and not wait:
            await asyncio.sleep(0)
            raise RunHeld("somebody else holds it")
        house.alone.append(what)
        if what in house.busy:
            await house.let_go.wait()
        elif what == A and len(house.alone) == 1:
            await house.first.wait()
        if what in house.trouble:
            raise house.trouble[what]
        return f"{what.int} alone"

    async def beside(self, what: UUID, tx: Transaction) -> str:
        self.house.batches[-1].append(what)
        trouble = self.house.trouble | self.house.shared_trouble
        if what in trouble:
            raise trouble[what]
        return f"{what.int} beside others"

    def key(self, what: UUID) -> UUID:
        return what

    def lock(self, what: UUID) -> UUID:
        return what


async def asked(together: Together[UUID, str], *whats: UUID, workspace: UUID = ACME) -> list[asyncio.Task[str]]:
    """They have asked, one after the other, and the first one is being served."""
    tasks = [asyncio.create_task(together.do(workspace, what)) for what in whats]
    await asyncio.sleep(0)
    return tasks


async def heard(house: House, tasks: list[asyncio.Task[str]]) -> list[str | BaseException]:
    """What they hear once the first one is done, and what somebody else holds is let go of."""
    house.first.set()
    house.let_go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_is_alone_is_served_alone() -> None:
    house = House()
    together = house.together()
    house.first.set()

    assert [await together.do(ACME, what) for what in (A, B)] == ["10 alone", "11 alone"]
    assert house.batches == []


async def test_who_comes_meanwhile_shares_the_next_one() -> None:
    house = House()

    answers = await heard(house, await asked(house.together(), A, B, C, D))

    assert answers == ["10 alone", "11 beside others", "12 beside others", "13 beside others"]
    assert house.batches == [[B, C, D]]


async def test_workspaces_do_not_wait_for_each_other() -> None:
    house = House()
    together = house.together()
    first = await asked(together, A)

    [other] = await asked(together, B, workspace=UMBRA)

    assert await other == "11 alone"
    assert not first[0].done()
    await heard(house, first)


async def test_two_of_one_key_are_not_together() -> None:
    house = House()

    answers = await heard(house, await asked(house.together(), A, B, B, C))

    assert house.batches == [[B, C]]
    assert answers[2] == "11 alone"


async def test_one_whose_run_somebody_holds_is_served_alone() -> None:
    house = House(busy={C})

    answers = await heard(house, await asked(house.together(), A, B, C, D))

    assert house.batches == [[B, D]]
    assert answers[1:] == ["11 beside others", "12 alone", "13 beside others"]


async def test_what_is_one_callers_own_the_others_do_not_hear_of() -> None:
    house = House(trouble={C: NotYours()})

    answers = await heard(house, await asked(house.together(), A, B, C, D))

    assert isinstance(answers[2], NotYours)
    assert [answers[1], answers[3]] == ["11 beside others", "13 beside others"]
    assert house.alone == [A]


@pytest.mark.parametrize("trouble", [RuntimeError("a defect"), NotTogether("no room")], ids=["defect", "not-together"])
async def test_where_it_fails_for_one_each_is_served_alone(trouble: Exception) -> None:
    house = House(shared_trouble={C: trouble})

    answers = await heard(house, await asked(house.together(), A, B, C, D))

    assert answers[1:] == ["11 alone", "12 alone", "13 alone"]


async def test_each_hears_of_its_own_failure() -> None:
    house = House(trouble={C: RuntimeError("a defect")})

    answers = await heard(house, await asked(house.together(), A, B, C, D))

    assert [type(answer).__name__ for answer in answers[1:]] == ["str", "RuntimeError", "str"]


async def test_a_transaction_that_lost_against_others_is_done_one_by_one() -> None:
    house = House(ends=Contended("a deadlock"))

    answers = await heard(house, await asked(house.together(), A, B, C))

    assert answers[1:] == ["11 alone", "12 alone"]


async def test_where_postgres_went_away_nobody_is_served_again() -> None:
    house = House(ends=DatabaseUnavailable("gone"))

    answers = await heard(house, await asked(house.together(), A, B, C))

    assert [type(answer) for answer in answers[1:]] == [DatabaseUnavailable] * 2
    assert house.alone == [A]


async def test_who_went_away_is_left_out() -> None:
    house = House()
    tasks = await asked(house.together(), A, B, C, D)

    tasks[2].cancel()
    answers = await heard(house, tasks)

    assert house.batches == [[B, D]]
    assert isinstance(answers[2], asyncio.CancelledError)
    assert answers[3] == "13 beside others"


async def test_one_whose_run_somebody_holds_is_waited_for_by_nobody() -> None:
    house = House(busy={A})

    tasks = await asked(house.together(), A, B, C)

    assert await asyncio.gather(*tasks[1:]) == ["11 beside others", "12 beside others"]
    assert not tasks[0].done()
    assert await heard(house, tasks[:1]) == ["10 alone"]


async def test_so_is_one_who_is_the_only_one_to_have_come_meanwhile() -> None:
    house = House(busy={B})
    together = house.together()
    first = await asked(together, A, B)
    house.first.set()
    await asyncio.gather(first[0])

    [other] = await asked(together, C)

    assert await other == "12 alone"
    assert not first[1].done()
    assert await heard(house, first[1:]) == ["11 alone"]


async def test_nothing_is_kept_of_workspaces_where_nobody_asks() -> None:
    house = House()
    together = house.together()

    await heard(house, await asked(together, A, B, C))

    assert not together.busy
