"""Several in one transaction: whose turn it is, which statement is next, and what the failure of one means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import pytest

from headgate.store.database import Transaction
from headgate.store.joint import Ask, Joint, Parameters, in_turn
from headgate.store.meeting import Meeting

EARLY, LATE = Joint(1, "early", "early of all"), Joint(2, "late", "late of all")


class Row(NamedTuple):
    number: int
    name: str


@dataclass
class Statements:
    """A transaction that notes what is carried out, and gives everybody their own name."""

    carried_out: list[str] = field(default_factory=list)
    fails: str = ""

    def shared_by(self, ask: Ask) -> Transaction:
        return Transaction(cast(Any, None), ask)

    async def rows(self, statement: str, parameters: Parameters) -> list[Row]:
        self.carried_out.append(statement)
        await asyncio.sleep(0)
        if statement == self.fails:
            raise RuntimeError(statement)
        asked = json.loads(parameters["asked"]) if "asked" in parameters else [{"number": 0, **parameters}]
        return [Row(each["number"], each["name"]) for each in asked]


Act = Callable[[Transaction], Awaitable[list[str]]]


async def met(statements: Statements, *acts: Act) -> list[list[str] | BaseException]:
    """What everybody comes to. Raises why nothing may be kept."""
    meeting = Meeting(cast(Any, statements), len(acts), own=(LookupError,))
    found = await asyncio.gather(*map(meeting.take_part, acts), return_exceptions=True)
    meeting.check()
    return found


def asking(name: str, *joints: Joint) -> Act:
    """One who has these statements carried out."""

    async def act(tx: Transaction) -> list[str]:
        return [
            row.name
            for joint in joints
            for row in await tx.joint(joint, {"workspace_id": "acme", "name": f"{name} {joint.alone}"})
        ]

    return act


async def raising(_: Transaction, error: Exception) -> list[str]:
    raise error


async def test_a_statement_is_carried_out_once_for_all_and_each_has_their_own_rows() -> None:
    statements = Statements()

    found = await met(statements, asking("a", EARLY), asking("b", EARLY), asking("c", EARLY))

    assert statements.carried_out == ["early of all"]
    assert found == [["a early"], ["b early"], ["c early"]]


async def test_who_asks_alone_has_the_form_for_one() -> None:
    statements = Statements()

    await met(statements, asking("a", EARLY), asking("b"))

    assert statements.carried_out == ["early"]


async def test_the_statement_that_takes_its_locks_first_is_next() -> None:
    statements = Statements()

    found = await met(statements, asking("a", LATE), asking("b", EARLY, LATE), asking("c", EARLY))

    assert statements.carried_out == ["early of all", "late of all"]
    assert found == [["a late"], ["b early", "b late"], ["c early"]]


async def test_what_has_no_form_for_several_is_carried_out_for_one_after_the_other() -> None:
    statements = Statements()
    only = in_turn(3, "only")

    found = await met(statements, asking("a", only), asking("b", EARLY, only))

    assert statements.carried_out == ["early", "only", "only"]
    assert found == [["a only"], ["b early", "b only"]]


async def test_nobody_does_anything_while_it_is_another_ones_turn() -> None:
    count = 0

    async def one_more(tx: Transaction) -> list[str]:
        nonlocal count
        await asking("a", EARLY)(tx)
        before = count
        await asyncio.sleep(0)
        count = before + 1
        return []

    await met(Statements(), one_more, one_more, one_more)

    assert count == 3


async def test_what_is_ones_own_the_others_do_not_hear_of() -> None:
    error = LookupError("lost")

    found = await met(Statements(), asking("a", EARLY), lambda tx: raising(tx, error), asking("c", EARLY))

    assert found == [["a early"], error, ["c early"]]


async def test_whatever_else_one_raises_is_why_nothing_is_kept() -> None:
    statements = Statements()

    with pytest.raises(ValueError, match="a defect"):
        await met(statements, asking("a", EARLY), lambda tx: raising(tx, ValueError("a defect")), asking("c", EARLY))

    assert statements.carried_out == []


async def test_a_statement_that_fails_is_the_failure_of_all() -> None:
    statements = Statements(fails="early of all")

    with pytest.raises(RuntimeError, match="early of all"):
        await met(statements, asking("a", EARLY, LATE), asking("b", EARLY), asking("c", LATE))

    assert statements.carried_out == ["early of all"]
