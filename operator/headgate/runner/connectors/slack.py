"""Messages to incoming webhooks of Slack, and of what takes the same messages."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from headgate.api.connectors import Slack
from headgate.runner import http
from headgate.runner.connectors.hidden import value_of
from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets

_SHOWN = 256


async def execute(node: Slack, secrets: Secrets, reach: Reach) -> Any:
    """The output of the node, ``{status}``. Raises ``NodeFailed``."""
    message = {"text": node.text, "channel": node.channel, "username": node.username}
    body = json.dumps({name: value for name, value in message.items() if value is not None}).encode()
    url = http.url_of(value_of(node.url, secrets))
    request = http.Request("POST", url, {"content-type": "application/json"}, frozenset(), body)
    status, _, answer = await http.send(request, reach.networks, reach.resolve)
    if not HTTPStatus(200) <= status < HTTPStatus(300):
        said = secrets.redactor().text(answer.decode("utf-8", "replace").strip())[:_SHOWN]
        raise NodeFailed("SlackStatus", f"{url.host} answered {status}: {said}".rstrip(": "))
    return {"status": status}
