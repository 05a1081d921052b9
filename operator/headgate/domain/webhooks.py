"""What a delivery of a webhook has to show: who signed it, when, and which it is.

Standard Webhooks sign ``<id>.<timestamp>.<body>``, GitHub the body alone; both by HMAC with SHA-256. Whatever is said
here of a delivery that is refused depends on the request alone, so that it tells nobody which webhooks there are.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from headgate.api.webhook import WebhookFormat

BODY_BYTES = 262_144
"""A delivery has at most that many."""
TOLERANCE = timedelta(minutes=5)
"""How far its time may be from ours, either way."""
ID_CHARACTERS = 128
"""The id of a delivery has at most that many."""
MOST_SIGNATURES = 8
"""Signatures of a delivery at most: a sender whose secret changes sends two."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
LEAST_SECRET_BYTES = 16
TRIGGER_FIELDS = ("body", "event", "id", "hook")
"""What can be read of a delivery."""
KEPT_HEADERS = (
    "content-type",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "x-github-delivery",
    "x-github-event",
    "x-github-hook-id",
)
"""What is kept of a delivery's headers. Signatures are not: with the body they would be a delivery that can be sent."""
_KEPT_CHARACTERS = 256
_SIGNATURE_CHARACTERS = 2048
_SIGNATURE_BYTES = 32
_ID = re.compile(rf"[!-~]{{1,{ID_CHARACTERS}}}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_HEX = re.compile(r"sha256=([0-9a-f]{64})")
_EVENT = re.compile(r"[!-~]{1,128}")


class Unsigned(ValueError):  # noqa: N818 - what is wrong with what was sent
    """A request that no secret could make good; the message says what to change. ``reason`` is one stable word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


MALFORMED, NOT_SIGNED, OUT_OF_TIME = "Malformed", "NotSigned", "OutOfTime"


@dataclass(frozen=True)
class Signed:
    """A delivery as its sender claims it to be."""

    format: WebhookFormat
    message_id: str
    """Which it is: the same when it is sent again."""
    event: str
    """Its type where a header says it; empty where only the body may."""
    content: bytes = field(repr=False)
    """What is signed."""
    signatures: tuple[bytes, ...] = field(repr=False)

    def is_by(self, secrets: Iterable[bytes]) -> bool:
        """Whether any of the secrets has signed it. Takes the same time whichever it is, and wherever they differ."""
        found = False
        for secret in secrets:
            expected = hmac.digest(secret, self.content, "sha256")
            for signature in self.signatures:
                found |= hmac.compare_digest(expected, signature)
        return found


def signed(headers: Mapping[str, str], body: bytes, now: datetime) -> Signed:
    """What a request claims, its headers by their names in lower case. Raises ``Unsigned``."""
    if "webhook-signature" in headers:
        return _standard(headers, body, now)
    if "x-hub-signature-256" in headers:
        return _github(headers, body)
    raise Unsigned(
        NOT_SIGNED,
        "sign the delivery: send webhook-id, webhook-timestamp and webhook-signature, or X-Hub-Signature-256",
    )


def _standard(headers: Mapping[str, str], body: bytes, now: datetime) -> Signed:
    message_id = _message_id(headers, "webhook-id")
    written = headers.get("webhook-timestamp", "")
    if not _SECONDS.fullmatch(written):
        raise Unsigned(MALFORMED, "send webhook-timestamp: whole seconds since 1970")
    if abs(int(written) - now.timestamp()) > TOLERANCE.total_seconds():
        minutes = TOLERANCE // timedelta(minutes=1)
        raise Unsigned(OUT_OF_TIME, f"webhook-timestamp is more than {minutes} minutes away from now: set the clock")
    listed = headers["webhook-signature"]
    versioned = [part.partition(",") for part in listed.split(" ")] if len(listed) <= _SIGNATURE_CHARACTERS else []
    signatures = tuple(found for version, _, text in versioned if version == "v1" and (found := _base64(text)))
    if not 1 <= len(signatures) <= MOST_SIGNATURES:
        raise Unsigned(MALFORMED, f"send webhook-signature: 'v1,<base64 of HMAC-SHA256>', {MOST_SIGNATURES} at most")
    content = b"%s.%s.%s" % (message_id.encode(), written.encode(), body)
    return Signed(WebhookFormat.STANDARD, message_id, "", content, signatures)


def _github(headers: Mapping[str, str], body: bytes) -> Signed:
    message_id = _message_id(headers, "x-github-delivery")
    found = _HEX.fullmatch(headers["x-hub-signature-256"])
    if found is None:
        raise Unsigned(MALFORMED, "send X-Hub-Signature-256: 'sha256=<HMAC-SHA256 in hexadecimal>'")
    event = headers.get("x-github-event", "")
    if event and not _EVENT.fullmatch(event):
        raise Unsigned(MALFORMED, "send X-GitHub-Event: up to 128 characters without spaces")
    return Signed(WebhookFormat.GITHUB, message_id, event, body, (bytes.fromhex(found[1]),))


def _message_id(headers: Mapping[str, str], name: str) -> str:
    message_id = headers.get(name, "")
    if not _ID.fullmatch(message_id):
        raise Unsigned(MALFORMED, f"send {name}: 1 to {ID_CHARACTERS} characters without spaces")
    return message_id


def _base64(text: str) -> bytes | None:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == _SIGNATURE_BYTES else None


def signing_key(form: WebhookFormat, value: str) -> bytes | None:
    """The key that a secret stands for; None for one that is none: too short, or not written as the format has it.

    A standard secret is ``whsec_`` and base64, GitHub's are taken as they are. White space around it is no part of it.
    """
    text = value.strip()
    if form is WebhookFormat.STANDARD:
        try:
            key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            return None
        if not text.startswith(SECRET_PREFIX):
            return None
    else:
        key = text.encode()
    return key if len(key) >= LEAST_SECRET_BYTES else None


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """What is kept of the headers: those that say what came, not those that prove it."""
    found = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    return {name: text[:_KEPT_CHARACTERS] for name, text in found.items() if text.isascii() and text.isprintable()}


def event_of(claimed: Signed, body: Any) -> str:
    """The type of the event: a header's, or the body's ``type``; empty where neither says one."""
    if claimed.event or not isinstance(body, dict):
        return claimed.event
    told = body.get("type")
    return told if claimed.format is WebhookFormat.STANDARD and isinstance(told, str) and _EVENT.fullmatch(told) else ""


def variables(hook: str, message_id: str, event: str, body: Any) -> dict[str, Any]:
    """What the expressions of a webhook read."""
    return {"trigger": {"hook": hook, "id": message_id, "event": event, "body": body}}
