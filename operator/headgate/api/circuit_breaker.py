"""When a workspace's runs are held back because too many of them fail."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.scalars import PositiveDuration


class CircuitBreaker(KubeModel):
    """Opens when runs fail in a row faster than somebody can look: new runs wait until it has cooled down."""

    failure_threshold: Annotated[int, Field(ge=1, le=1000)] = 50
    """Failed runs within ``window`` that open it."""
    window: PositiveDuration = "5m"
    """The time within which failures count together."""
    cool_down: PositiveDuration = "5m"
    """How long it stays open before runs are tried again."""
    half_open_runs: Annotated[int, Field(ge=1, le=100)] = 3
    """Runs that are tried then. When all succeed it closes; when one fails it opens again."""


class BreakerState(StrEnum):
    """What the circuit breaker does with new runs."""

    CLOSED = "Closed"
    """They start."""
    OPEN = "Open"
    """They wait."""
    HALF_OPEN = "HalfOpen"
    """A few are tried, the others wait."""


class CircuitBreakerStatus(KubeModel):
    """The circuit breaker as it is."""

    state: BreakerState = BreakerState.CLOSED
    """Closed lets runs start, Open holds them back, HalfOpen tries a few."""
    failures: Annotated[int, Field(ge=0)] = 0
    """Failed runs within the window while it is Closed; 0 while it is not: opening begins the count anew."""
    opened_at: datetime | None = None
    """When it opened last."""
    retry_at: datetime | None = None
    """When runs are tried again."""
    reset: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The value of the annotation ``headgate.dev/reset-circuit-breaker`` that was acted on last."""
