"""Progress as somebody watches it: a tree on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from headgate.cli.progress import STEP_OVER, Progress, Step, news
from headgate.cli.text import parts, printable
from headgate.domain.durations import format_duration

Show = Callable[[Progress], None]
_LOOK = {
    "Succeeded": ("✔", "green"),
    "Failed": ("✘", "red"),
    "Cancelled": ("■", "yellow"),
    "Skipped": ("-", "bright_black"),
    "Running": ("▶", "cyan"),
    "Suspended": ("‖", "yellow"),
}


@contextmanager
def watching(title: str, file: TextIO, environment: Mapping[str, str], now: Callable[[], datetime]) -> Iterator[Show]:
    """Show progress in the file while the context lasts."""
    if _is_rich(file, environment):
        with _tree(title, file, now) as show:
            yield show
        return
    yield lines(title, file, now)


def _is_rich(file: TextIO, environment: Mapping[str, str]) -> bool:
    return file.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def lines(title: str, file: TextIO, now: Callable[[], datetime]) -> Show:
    """Progress as lines, each of which is new, with the time at which it happened; else with the present one."""
    before = Progress()
    print(printable(title), file=file, flush=True)

    def show(progress: Progress) -> None:
        nonlocal before
        present = now()
        for at, line in news(before, progress):
            print(f"{_time(at or present, present)} {printable(line)}", file=file, flush=True)
        before = progress

    return show


def _time(at: datetime, now: datetime) -> str:
    """With its day where that is not today's."""
    there = at.astimezone(now.tzinfo)
    return f"{there:%H:%M:%S}" if there.date() == now.date() else f"{there:%Y-%m-%d %H:%M:%S}"


@contextmanager
def _tree(title: str, file: TextIO, now: Callable[[], datetime]) -> Iterator[Show]:
    progress = Progress()
    console = Console(file=file, highlight=False)
    with Live(console=console, get_renderable=lambda: tree(title, progress, now()), refresh_per_second=4) as live:

        def show(newer: Progress) -> None:
            nonlocal progress
            progress = newer
            live.refresh()

        yield show


def tree(title: str, progress: Progress, now: datetime) -> Tree:
    """The run, its nodes below it, and items of a list below their node."""
    root = Tree(_labelled(title, progress.phase, "", progress.reason))
    branches: dict[str, Tree] = {}
    for step in progress.steps.values():
        parent = branches.get(step.node, root) if step.name != step.node else root
        why = ": ".join(part for part in (step.reason, step.message) if part)
        again = f" (attempt {step.attempt})" if step.attempt > 1 else ""
        branches[step.name] = parent.add(_labelled(step.name + again, step.phase, _lasted(step, now), why))
    return root


def _labelled(name: str, phase: str, took: str, why: str) -> Text:
    sign, style = _LOOK.get(phase, ("·", "bright_black"))
    text = Text.assemble((f"{sign} ", style), printable(name), " ", (phase, style))
    if took:
        text.append(f" {took}", "bright_black")
    if why:
        text.append(f" {printable(why)}", "bright_black")
    return text


def _lasted(step: Step, now: datetime) -> str:
    if step.started is None:
        return ""
    if step.phase in STEP_OVER:
        return format_duration(step.finished - step.started) if step.finished else ""
    return parts((now - step.started).total_seconds())


def progress_file(*, for_people: bool) -> TextIO:
    """Where progress goes: not between what a program reads."""
    return sys.stdout if for_people else sys.stderr
