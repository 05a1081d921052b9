"""A peer's client: asked on standard input, a line of JSON each, it answers on standard output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

from benchmarks.peers.questions import Questions, System
from benchmarks.target import target


async def answering(open_system: Callable[[str], Awaitable[System]]) -> None:
    """Answer until standard input ends. ``open_system`` is given the target's url."""
    # What libraries print must not stand between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    seen: list[float] = []
    async with target(seen) as url:
        questions = Questions(await open_system(url), seen)
        print(json.dumps("ready"), file=answers)
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, *arguments = json.loads(line)
            print(json.dumps(await getattr(questions, name)(*arguments)), file=answers)
