"""What a runner and the host of its scripts say to each other: one JSON object a line, over a Unix socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from headgate.runner.left import Left
from headgate.runner.program import Ended, Limits, Program

LINE_BYTES = 4 * 1024 * 1024
"""Longer than anything that is said: a source, variables, or a piece of what is printed."""
RUN, STOP, PRINTED, ENDED, FAILED, READY = "run", "stop", "printed", "ended", "failed", "ready"
LEFT, READ, PIECE, KEPT = "left", "read", "piece", "kept"
"""What a program left, in answer to which pieces of it are asked for one by one, until all of it is kept."""


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


def left(files: Sequence[Left]) -> bytes:
    """That is what it left."""
    return encoded(LEFT, files=[{"name": file.name, "size": file.size} for file in files])


def read(file: int, at: int) -> bytes:
    """Give the piece of that file that begins there."""
    return encoded(READ, file=file, at=at)


def piece(file: int, at: int, content: bytes) -> bytes:
    """That is it."""
    return encoded(PIECE, file=file, at=at, content=base64.b64encode(content).decode("ascii"))


def piece_of(said: dict[str, Any]) -> bytes:
    """What ``piece`` holds. Raises ``ValueError``."""
    return base64.b64decode(said["content"], validate=True)


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
