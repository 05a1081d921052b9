"""What is looked for by its words, and where a page of it begins. Pure."""

from __future__ import annotations

import math
import re
import string
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

LONGEST = 200
"""Characters of a query at most."""
_PARTS = re.compile(r'(-?)(?:"([^"]*)"|([^\s"]+))')
_INNER_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_APART = str.maketrans(dict.fromkeys(string.punctuation, " "))


class SearchKind(StrEnum):
    """What is looked for."""

    WORKFLOW = "workflow"
    RUN = "run"
    RECOMMENDATION = "recommendation"


def words_of(query: str) -> str:
    """The query with what documents have as several words in quotation marks: they stand next to each other there.

    Raises ``ValueError`` with what to change.
    """
    if len(query) > LONGEST:
        raise ValueError(f"the query has {len(query)} characters: look for {LONGEST} at most")
    if "\0" in query or not any(character.isalnum() for character in query):
        raise ValueError("the query has no word to look for: write some letters or digits")
    return " ".join(filter(None, (_together(*found.group(1, 2, 3)) for found in _PARTS.finditer(query))))


def _together(without: str, quoted: str | None, bare: str | None) -> str:
    words = _INNER_CAPITAL.sub(" ", (quoted or bare or "").translate(_APART)).split()
    if not words:
        return ""
    return f"{without}{words[0]}" if len(words) == 1 and quoted is None else f'{without}"{" ".join(words)}"'


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
