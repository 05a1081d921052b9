"""What is looked for by its words, and where a page of it begins. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

LONGEST = 200
"""Characters of a query at most."""


class SearchKind(StrEnum):
    """What is looked for."""

    WORKFLOW = "workflow"
    RUN = "run"
    RECOMMENDATION = "recommendation"


def checked(query: str) -> str:
    """The query, which has a word. Raises ``ValueError`` with what to change."""
    if len(query) > LONGEST:
        raise ValueError(f"the query has {len(query)} characters: look for {LONGEST} at most")
    if "\0" in query or not any(character.isalnum() for character in query):
        raise ValueError("the query has no word to look for: write some letters or digits")
    return query


@dataclass(frozen=True)
class Place:
    """Behind something that was found: the better it fits, the earlier it comes."""

    rank: float
    id: UUID

    def __str__(self) -> str:
        """As it is given out, without losing a digit."""
        return f"{self.rank!r}:{self.id}"


def parse_place(text: str) -> Place:
    """The place that is written so. Raises ``ValueError``."""
    rank, _, identifier = text.partition(":")
    try:
        place = Place(float(rank), UUID(identifier))
    except ValueError:
        place = None
    if place is None or not math.isfinite(place.rank):
        raise ValueError("the cursor is not one that a search gave")
    return place
