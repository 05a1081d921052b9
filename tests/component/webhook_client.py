"""Webhooks as other systems see them: what is sent, and how it is signed, written down once more by the book."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from headgate.domain.credentials import Values
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.api_client import Api
from tests.component.world import World

KEY = b"webhook-key-of-32-bytes-in-tests"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_KEY = b"another-key-of-32-bytes-in-tests"
OTHER_SECRET = "whsec_" + base64.b64encode(OTHER_KEY).decode()
GITHUB_SECRET = "It's a Secret to Everybody"
PAID = {"type": "order.paid", "order": {"id": 7, "note": "a present"}}


def a_webhook(hook: str = "orders", **members: Any) -> dict[str, Any]:
    """The config of a trigger that takes what ``SECRET`` has signed."""
    return {"webhook": {"hook": hook, "secrets": [{"name": "shop", "key": "current"}], **members}}


def hooked(name: str = "nightly", hook: str = "orders", node: str = "paid", **members: Any) -> WorkflowBuilder:
    """A workflow of one node that a webhook starts."""
    return a_workflow(name).with_trigger(node, a_webhook(hook, **members)).with_node("work", after=[node])


async def runs(world: World, workspace: str = "acme") -> list[dict[str, Any]]:
    """Every run of a workspace, the oldest first."""
    query = "SELECT * FROM headgate.workflow_executions WHERE workspace_id = %s ORDER BY id"
    return await world.rows(query, world.ids[workspace])


@dataclass
class Sender:
    """Another system, which sends to one replica."""

    api: Api
    path: str = "/hooks/acme/orders"

    async def given_secret(self, workspace: str = "acme", name: str = "shop", **values: str) -> None:
        """Put the credential of that name; ``current`` is ``SECRET`` unless values are given."""
        world = self.api.world
        await world.engine.credentials.put(
            world.ids[workspace], name, "webhook", Values(values or {"current": SECRET}), by="alice"
        )

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.api.world.clock.now.timestamp())

    async def send(
        self,
        message_id: str = "msg-1",
        content: Any = None,
        *,
        key: bytes = KEY,
        path: str | None = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        at: int | None = None,
    ) -> httpx.Response:
        """Send, a millisecond later, what is signed as Standard Webhooks have it.

        ``raw`` takes the place of JSON, and ``headers`` that of what was signed.
        """
        self.api.world.clock.advance(milliseconds=1)
        body = json.dumps(PAID if content is None else content).encode() if raw is None else raw
        said = standard(message_id, self.now if at is None else at, body, key) | dict(headers or {})
        return await self.post(body, said, path)

    async def post(self, body: bytes, headers: Mapping[str, str], path: str | None = None) -> httpx.Response:
        """Send that."""
        said = {"Content-Type": "application/json", **headers}
        return await self.api.http.post(path or self.path, content=body, headers=said)

    async def accepted(self, message_id: str = "msg-1", content: Any = None, **more: Any) -> Any:
        """What is answered to a delivery that must be taken."""
        answer = await self.send(message_id, content, **more)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    async def deliveries(self) -> list[dict[str, Any]]:
        """The log, the newest first."""
        found: list[dict[str, Any]] = (await self.api.get("/deliveries"))["items"]
        return found


def standard(message_id: str, at: int, body: bytes, key: bytes = KEY) -> dict[str, str]:
    """The headers of a standard webhook."""
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}


def github(delivery: str, event: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers of GitHub's."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-GitHub-Delivery": delivery, "X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={digest}"}
