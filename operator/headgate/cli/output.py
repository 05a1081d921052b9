"""What commands answer, in the form that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from headgate.cli.text import columns, printable

Item = Mapping[str, Any]


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    WIDE = "wide"
    NAME = "name"


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    header: str
    cell: Callable[[Any], str]
    wide: bool = False
    """Whether it is only there where there is room."""


@dataclass(frozen=True)
class Output:
    """Writes answers to standard output."""

    format: Format = Format.TABLE

    @property
    def is_for_people(self) -> bool:
        """Whether words may stand beside the answer."""
        return self.format in (Format.TABLE, Format.WIDE)

    def list(self, items: Sequence[Item], shown: Sequence[Column], name: str = "name", **beside: Any) -> None:
        """Several things. ``name`` is the member that names one; ``beside`` stands next to the items in JSON."""
        match self.format:
            case Format.NAME:
                for item in items:
                    print(printable(str(item[name])))
            case Format.JSON | Format.YAML:
                self._write({"items": list(items), **beside})
            case _:
                self._table(items, shown)

    def one(self, item: Item, text: Callable[[], str], name: str = "name") -> None:
        """One thing, for people as ``text`` has it."""
        match self.format:
            case Format.NAME:
                print(printable(str(item[name])))
            case Format.JSON | Format.YAML:
                self._write(item)
            case _:
                print(text())

    def done(self, message: str, item: Item, name: str = "name") -> None:
        """What was done to a thing."""
        self.one(item, lambda: printable(message), name)

    def _table(self, items: Sequence[Item], shown: Sequence[Column]) -> None:
        chosen = [column for column in shown if not column.wide or self.format is Format.WIDE]
        print(
            columns([column.header for column in chosen], ([column.cell(item) for column in chosen] for item in items))
        )

    def _write(self, value: Any) -> None:
        if self.format is Format.JSON:
            # Escaped, what others wrote cannot move a cursor either.
            print(json.dumps(value, indent=2))
        else:
            print(yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=120), end="")
