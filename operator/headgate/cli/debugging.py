"""What a Test or Debug run does otherwise, as people write it behind options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

import typer

from headgate.cli.given import json_of, object_of
from headgate.cli.session import Mistake
from headgate.client.api import Breakpoint, BreakpointAt, Debug, Mock, NodePin, RunMode

File = Annotated[
    str | None, typer.Option(help="A file of what spec.debug of a WorkflowRun says; - for standard input.")
]
Mocks = Annotated[
    list[str] | None, typer.Option(metavar="MOCK", help="NODE=TEXT or NODE:=JSON is what it gives instead.")
]
Pins = Annotated[list[str] | None, typer.Option(metavar="PIN", help="NODE=RUN: it has its output of that run.")]
Breaks = Annotated[
    list[str] | None, typer.Option("--break", metavar="PLACE", help="NODE, after:NODE or failure:NODE to stop at.")
]
_MOCK = re.compile(r"([a-z0-9_-]+)(:?)=(.*)", re.DOTALL)
_WHEN: dict[str, BreakpointAt] = {"": "Before", "before": "Before", "after": "After", "failure": "Failure"}


@dataclass(frozen=True)
class Wishes:
    """What options say."""

    file: str | None = None
    mocks: Sequence[str] = ()
    pins: Sequence[str] = ()
    pins_from: str | None = None
    start_from: str | None = None
    stop_after: str | None = None
    breakpoints: Sequence[str] = ()


def mode_of(*, test: bool, debug: bool) -> RunMode | None:
    """Which kind of run is asked for; None for a Normal one. Raises ``Mistake``."""
    if test and debug:
        raise Mistake("--test and --debug are two kinds of runs: a Debug run is a Test run that stops at breakpoints")
    return "Debug" if debug else "Test" if test else None


def debug_of(wishes: Wishes) -> Debug | None:
    """What the file says, and over it what options say of a node; None where nothing is said. Raises ``Mistake``."""
    what = "its members are mocks, pins, pinsFrom, startFrom, stopAfter and breakpoints"
    said = cast("Debug", object_of(wishes.file, "--debug-file", what) if wishes.file is not None else {})
    # The server says what is wrong with the rest of the file; only lists that options add to have to be lists here.
    for name in ("mocks", "pins", "breakpoints"):
        if not isinstance(said.get(name, []), list):
            raise Mistake(f"{name} in --debug-file {wishes.file} has to be a list")
    if wishes.mocks:
        said["mocks"] = [*said.get("mocks", ()), *map(_mock, wishes.mocks)]
    if wishes.pins:
        said["pins"] = [*said.get("pins", ()), *map(_pin, wishes.pins)]
    if wishes.breakpoints:
        said["breakpoints"] = [*said.get("breakpoints", ()), *map(_breakpoint, wishes.breakpoints)]
    if wishes.pins_from is not None:
        said["pinsFrom"] = wishes.pins_from
    if wishes.start_from is not None:
        said["startFrom"] = wishes.start_from
    if wishes.stop_after is not None:
        said["stopAfter"] = wishes.stop_after
    return said or None


def _mock(text: str) -> Mock:
    found = _MOCK.fullmatch(text)
    if found is None:
        raise Mistake("a mock is written as NODE=TEXT, or NODE:=JSON for anything but a text")
    node, typed, value = found.groups()
    return Mock(node=node, output=json_of(f"the mock of {node}", node, value) if typed else value)


def _pin(text: str) -> NodePin:
    node, equals, run = text.partition("=")
    if not (node and equals and run):
        raise Mistake(f"{text!r} is no pin: write NODE=RUN")
    return NodePin(node=node, run=run)


def _breakpoint(text: str) -> Breakpoint:
    when, _, node = text.rpartition(":")
    if when not in _WHEN or not node:
        raise Mistake(f"{text!r} is no place to stop at: write NODE, after:NODE or failure:NODE")
    return Breakpoint(node=node, at=_WHEN[when])
