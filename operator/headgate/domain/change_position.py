"""Where somebody is in the order of changes. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

KEPT = timedelta(days=1)
"""How long changes can be followed from."""
_TEXT = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,12})")


class NotAPosition(ValueError):  # noqa: N818 - what was given, not a failure
    """A text that no position is written as."""


@dataclass(frozen=True, order=True)
class Position:
    """Behind a change, or behind all that transactions before ``transaction`` changed."""

    transaction: int
    number: int
    seconds: int
    """When that was, since 1970: what came before may have been forgotten after a while."""

    def __str__(self) -> str:
        """As it is given out."""
        return f"{self.transaction}-{self.number}-{self.seconds}"

    def is_lost(self, *, now: int, unused: int) -> bool:
        """Whether changes behind it may be missing.

        ``unused`` is the first transaction that there was not yet: a position beyond it is of another server, or of
        the one that this server's backup was made of.
        """
        return self.transaction > unused or self.seconds < now - KEPT.total_seconds()


def parse_position(text: str) -> Position:
    """The position that is written so. Raises ``NotAPosition``."""
    parts = _TEXT.fullmatch(text)
    if parts is None:
        raise NotAPosition("the id is not one that an event had")
    return Position(*map(int, parts.groups()))
