"""When a failed attempt is repeated."""

from __future__ import annotations

from datetime import timedelta

from headgate.api.node import Retry
from headgate.domain.durations import parse_duration


def delay_before_next(retry: Retry, attempt: int, luck: float = 0.0) -> timedelta | None:
    """How long to wait after failed attempt number ``attempt`` (from 1), or None when there is no further one.

    ``luck`` from 0 to 1 says how much of the jitter is taken off. ``retry.when`` is for the caller to evaluate.
    """
    if attempt > retry.limit:
        return None
    longest = parse_duration(retry.max_delay)
    delay = parse_duration(retry.initial_delay)
    for _ in range(attempt - 1):
        # Compared before multiplying: the product might be more than a timedelta can hold.
        if delay > longest // retry.factor:
            delay = longest
            break
        delay *= retry.factor
    return min(delay, longest) * (1 - luck * retry.jitter / 100)
