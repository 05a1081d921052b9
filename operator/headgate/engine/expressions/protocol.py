"""What the evaluator and its child process say to each other, and how much of everything is allowed.

Both sides are one code base of one version, so the messages carry no version. A frame is its length as four bytes,
big-endian, and then JSON. The child greets with one frame when it is ready. A request is an object: ``expressions``,
and either ``variables`` to evaluate them over, or ``names`` of variables to compile them against. Its answer is a list
with ``{"value": ...}`` or ``{"error": ...}`` for each expression in order; it is shorter when the memory ran out, and
the last of it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 4
READY: Final = b"{}"


@dataclass(frozen=True)
class Limits:
    """What one expression, or one request of several, may use."""

    expression_characters: int = 1024
    """Length of an expression, as admission counts it."""
    variables_bytes: int = 64 * 1024
    """All variables together, as compact JSON."""
    result_bytes: int = 64 * 1024
    """The result, as compact JSON."""
    expression_seconds: float = 0.05
    """CPU time of compiling and evaluating one expression."""
    request_seconds: float = 0.5
    """CPU time after which the remaining expressions of a request are not begun any more."""
    memory_bytes: int = 128 * 1024 * 1024
    """Address space of the child beyond what the interpreter and the library take."""


def frame(payload: bytes) -> bytes:
    """A frame around JSON."""
    return len(payload).to_bytes(HEADER_BYTES) + payload
