"""The words of a CEL expression: enough to find names and braces without mistaking the text of strings for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a token is."""

    NAME = auto()
    """An identifier, or a quoted field name between backticks."""
    STRING = auto()
    """A string or bytes literal; its ``text`` is what stands between the quotes, escapes left as they are."""
    OTHER = auto()
    """A number, or one character of punctuation."""


@dataclass(frozen=True)
class Token:
    """A word and where it begins."""

    kind: Kind
    text: str
    start: int


_QUOTES = ('"""', "'''", '"', "'")


_ANYTHING = "."
_ANYTHING_OR_ESCAPE = r"(?:\\.|[^\\])"


def _literal(prefix: str, piece: str) -> str:
    """Literals in any quotes, made of ``piece``; only those in three quotes go over several lines."""
    bodies = []
    for quote in _QUOTES:
        end = quote if len(quote) > 1 else quote + r"|\n"
        bodies.append(f"{quote}(?:(?!{end}){piece})*{quote}")
    return f"(?:{prefix})(?:{'|'.join(bodies)})"


_TOKEN = re.compile(
    "|".join(
        (
            r"(?P<blank>\s+|//[^\n]*)",
            f"(?P<string>{_literal('[bB]?', _ANYTHING_OR_ESCAPE)}|{_literal('[rR][bB]?|[bB][rR]', _ANYTHING)})",
            r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)",
            r"`(?P<quoted>[^`\n]*)`",
            r"(?P<other>[0-9]+|.)",
        )
    ),
    re.DOTALL,
)
_BETWEEN_QUOTES = re.compile(f"[rRbB]*({'|'.join(_QUOTES)})(.*)\\1", re.DOTALL)


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens of ``text`` from ``start`` on, without blanks and comments. What is not CEL comes as OTHER."""
    for match in _TOKEN.finditer(text, start):
        match match.lastgroup:
            case "name" | "quoted":
                yield Token(Kind.NAME, match[match.lastgroup], match.start())
            case "string":
                yield Token(Kind.STRING, _BETWEEN_QUOTES.sub(r"\2", match["string"]), match.start())
            case "other":
                yield Token(Kind.OTHER, match["other"], match.start())
