"""What a runner and the host of its scripts say to each other: one JSON object a line, over a Unix socket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Any

from headgate.runner.program import Ended, Limits, Program

LINE_BYTES = 4 * 1024 * 1024
"""Longer than anything that is said: a source, variables, or a piece of what is printed."""
RUN, STOP, PRINTED, ENDED, FAILED, READY = "run", "stop", "printed", "ended", "failed", "ready"


def encoded(word: str, **members: Any) -> bytes:
    """A line."""
    return json.dumps({"say": word, **members}).encode() + b"\n"


def request(program: Program, grace: float, limits: Limits) -> bytes:
    """Execute that."""
    about = {"language": program.language, "source": program.source, "variables": dict(program.variables)}
    return encoded(RUN, program=about, grace=grace, limits=asdict(limits))


def requested(said: dict[str, Any]) -> tuple[Program, float, Limits]:
    """What ``request`` asks for."""
    return Program(**said["program"]), float(said["grace"]), Limits(**said["limits"])


def ending(ended: Ended) -> bytes:
    """That is how it ended."""
    return encoded(ENDED, how=asdict(ended))


async def heard(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next that is said, or None where the other has gone."""
    try:
        line = await reader.readline()
    except (ConnectionError, ValueError):
        return None
    if not line.endswith(b"\n"):
        return None
    said: dict[str, Any] = json.loads(line)
    return said
