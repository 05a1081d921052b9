"""What goes into the use cases of webhooks and comes out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from headgate.domain.webhooks import Signed


class Outcome(StrEnum):
    """What became of a delivery, or of it at one trigger."""

    ACCEPTED = "accepted"
    """There is a run."""
    FILTERED = "filtered"
    """The trigger leaves such deliveries out."""
    REFUSED = "refused"
    """There is no run, and a reason. When it is sent again, it is tried again."""


@dataclass(frozen=True)
class Arrival:
    """A request to a webhook, of which nothing is believed yet."""

    workspace: str
    hook: str
    claimed: Signed
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    """Those that are kept."""


@dataclass(frozen=True)
class Result:
    """What a trigger made of a delivery."""

    namespace: str
    workflow: str
    node: str
    outcome: Outcome
    run_id: UUID | None = None
    reason: str = ""
    message: str = ""
    until: datetime | None = None
    """When it may be taken, where that is known. Not kept."""

    @property
    def name(self) -> str:
        """The trigger, unique in the workspace."""
        return f"{self.namespace}/{self.workflow}/{self.node}"

    def to_record(self) -> dict[str, Any]:
        """As it is kept."""
        run = str(self.run_id) if self.run_id is not None else None
        return {"outcome": self.outcome.value, "run": run, "reason": self.reason, "message": self.message}

    @classmethod
    def of_record(cls, name: str, record: Mapping[str, Any]) -> Result:
        """What ``to_record`` gave."""
        run = UUID(record["run"]) if record["run"] is not None else None
        namespace, workflow, node = name.split("/")
        outcome = Outcome(record["outcome"])
        return cls(namespace, workflow, node, outcome, run, record["reason"], record["message"])


def outcome_of(results: tuple[Result, ...]) -> Outcome:
    """What became of a delivery, by what its triggers made of it; refused where none was asked."""
    outcomes = {result.outcome for result in results}
    order = (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.FILTERED)
    return next((outcome for outcome in order if outcome in outcomes), Outcome.REFUSED)


@dataclass(frozen=True)
class Received:
    """A delivery that one of its webhook's secrets has signed. It is recorded."""

    delivery_id: UUID
    results: tuple[Result, ...]
    repeated: bool
    """Whether every trigger had taken it before, so that nothing was done."""
    reason: str = ""
    """Why no trigger was asked."""
    message: str = ""


@dataclass(frozen=True)
class Unverified:
    """No such webhook, or none of its secrets has signed this: whoever sent it must not learn which."""

    workspace_id: UUID | None = None
    """None where there is no such webhook."""


class NotKept(Exception):  # noqa: N818 - a state of the world, not a mistake
    """A delivery that cannot be made again; the message says why."""


@dataclass(frozen=True)
class TriggerView:
    """A trigger that takes the deliveries of a webhook."""

    namespace: str
    workflow: str
    node: str
    format: str
    events: tuple[str, ...]
    problem: str | None = None
    """Why it takes none; None also where that was not looked at."""


@dataclass(frozen=True)
class WebhookView:
    """A webhook of a workspace."""

    hook: str
    triggers: tuple[TriggerView, ...]
    refused: int
    """Requests that none of its secrets had signed."""
    last_refused_at: datetime | None


@dataclass(frozen=True)
class WebhookPage:
    """Part of a list, by name."""

    webhooks: tuple[WebhookView, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class DeliveryView:
    """A delivery as recorded, without its body, which nothing tells."""

    id: UUID
    hook: str
    format: str
    message_id: str
    event: str
    received_at: datetime
    attempts: int
    outcome: Outcome
    reason: str
    message: str
    results: tuple[Result, ...]
    headers: Mapping[str, str]
    body_bytes: int
    kept: bool
    """Whether its own row has the body."""
    redelivery_of: UUID | None
    requested_by: str | None


@dataclass(frozen=True)
class DeliveryPage:
    """Part of a list, the newest first."""

    deliveries: tuple[DeliveryView, ...]
    next_cursor: str | None
