"""What the gateway's application works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from headgate.domain.artifacts import ARTIFACT_BYTES
from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.hooks import REFUSAL_SECONDS
from headgate.gateway.live_logs import LiveLogs
from headgate.gateway.refusals import Refusals
from headgate.gateway.streams import Streams
from headgate.gateway.waiting_room import WaitingRoom
from headgate.objects.object_store import ObjectStore


def _nobody(_workspace: str) -> None:
    """There is no other gateway in which runners wait."""


@dataclass(frozen=True, kw_only=True)
class Ties:
    """The gateway's ties to the world."""

    engine: Engine
    authenticator: Authenticator
    """Tells which runner calls."""
    callers: Callers
    """Tells who else does."""
    limits: CallLimits
    streams: Streams
    registry: CollectorRegistry
    lease: timedelta
    """For how long an attempt is kept for a runner that is not heard of."""
    wall: Callable[[], datetime]
    heard: Callable[[str, Effects], None]
    """Told the workspace and the effects of every transaction."""
    elsewhere: Callable[[str], None] = _nobody
    """Told a workspace with something for runners for which too few wait in ``room``."""
    room: WaitingRoom = field(default_factory=WaitingRoom)
    objects: ObjectStore | None = None
    """Where logs and artifacts are kept; None where they cannot be reached from here."""
    artifact_bytes: int = ARTIFACT_BYTES
    """What a file that an attempt leaves has at most."""
    live: LiveLogs | None = None
    """Reads the logs of running attempts; None where they cannot be reached from here."""
    refusals: Refusals | None = None
    """Counts what webhooks refused, and is written by whoever gives it."""
    refusal_seconds: float = REFUSAL_SECONDS
    """After which webhooks refuse at the earliest."""
    monotonic: Callable[[], float] = time.monotonic

    def tell(self, workspace: str, effects: Effects) -> None:
        """Tell of a transaction, and wake runners for what they can do now."""
        self.heard(workspace, effects)
        if effects.for_runners and not self.room.ring(workspace, effects.for_runners):
            self.elsewhere(workspace)
