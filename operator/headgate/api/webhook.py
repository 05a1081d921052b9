"""What starts a run when another system sends a signed request."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.hidden_value import CredentialKeyRef
from headgate.api.inputs import InputName
from headgate.api.rules import Form, FreeForm, ListMap, ListSet
from headgate.api.scalars import DnsLabel


class WebhookFormat(StrEnum):
    """How a sender signs what it sends."""

    STANDARD = "standard"
    GITHUB = "github"


EventType = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    Form(pattern=r"^[!-~]+$", message="write the type of an event without spaces, such as order.paid or push"),
]
"""The type of an event, as its sender names it."""


class Webhook(KubeModel):
    """Starts a run for each delivery to ``/hooks/<workspace>/<hook>`` that is signed, once for each delivery."""

    hook: DnsLabel
    """Last part of the path. Triggers of the Workspace with the same one take the same deliveries."""
    format: WebhookFormat = WebhookFormat.STANDARD
    """standard as in Standard Webhooks, or github with ``X-Hub-Signature-256``, which says no time."""
    secrets: Annotated[tuple[CredentialKeyRef, ...], Field(min_length=1, max_length=4), ListMap("name", "key")]
    """Values of credentials of the Workspace, any of which may have signed. Those that are not there count for nothing.

    Several are for the time in which a secret is changed.
    """
    events: Annotated[tuple[EventType, ...], Field(max_length=32), ListSet()] = ()
    """Types of events that count: the body's ``type``, or ``X-GitHub-Event``. All of them when empty."""
    when: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """A CEL expression over ``trigger.body``, ``trigger.event``, ``trigger.id`` and ``trigger.hook``.

    Where it is false the delivery starts no run.
    """
    inputs: Annotated[dict[InputName, Annotated[Any, FreeForm()]], Field(max_length=64)] = Field(default_factory=dict)
    """Values for the workflow's inputs. ``${{ ... }}`` over the same is replaced in strings."""
