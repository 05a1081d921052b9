"""Statements that those who share a transaction have carried out at once, for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Parameters = Mapping[str, Any]


class NotTogether(Exception):  # noqa: N818 - a state of the world, not a mistake
    """What is asked for cannot be had in one statement with what others ask for: each has to ask by itself."""


def of_workspace(asked: Sequence[Parameters]) -> Parameters:
    """What all who ask have in common: their workspace."""
    return {"workspace_id": asked[0]["workspace_id"]}


def of_runs(asked: Sequence[Parameters]) -> Parameters:
    """Their workspace, and between which times their runs lie, so that other partitions are not even opened."""
    starts = [each["started_at"] for each in asked]
    return {**of_workspace(asked), "first": min(starts), "last": max(starts)}


BETWEEN = "BETWEEN %(first)s AND %(last)s"
"""What the times of runs have to be, by what ``of_runs`` gives."""


def _everybody(_: Parameters) -> Hashable:
    return None


@dataclass(frozen=True)
class Joint:
    """A statement in two forms that do the same: for one, and for several in the order in which they stand.

    The other form has each one's parameters as an object of the list ``%(asked)s``, with its ``number``, and every
    row that it gives begins with the number of the one whom it is for. Texts of JSON are texts there too.
    """

    rank: int
    """Of statements that are waited for, the one of the lowest rank is next: so locks are taken in one order."""
    alone: str
    together: str
    common: Callable[[Sequence[Parameters]], Parameters] = of_workspace
    """Parameters of the other form besides ``asked``."""
    group: Callable[[Parameters], Hashable] = _everybody
    """Those who have the same one can ask together."""
    at_once: str = ""
    """For one whose transaction is this statement alone (``store.at_once``); none where there is no such form."""


def in_turn(rank: int, statement: str) -> Joint:
    """A statement that has no form for several: it is carried out for one after the other when its rank is next."""
    return Joint(rank, statement, "", group=id)


Ask = Callable[[Joint, Parameters], Awaitable[list[Any]]]
"""Has a statement carried out for whoever asks, and gives the rows that are for them."""


def columns(**types: str) -> str:
    """``asked`` with these columns, for the beginning of a statement's other form."""
    listed = ", ".join(f"{name} {kind}" for name, kind in {"number": "integer", **types}.items())
    return f"""asked AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(%(asked)s AS jsonb)) AS each ({listed})
    )"""  # noqa: S608 - constants
