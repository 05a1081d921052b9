"""Messages to a webhook of this machine."""

from __future__ import annotations

import json

import pytest

from headgate.api.connectors import Slack
from headgate.runner.connectors import slack
from headgate.runner.errors import NodeFailed
from tests.support.http_server import serving
from tests.unit.runner.connectors.nodes import INTERNET, REACH, connector, hidden
from tests.unit.runner.tasks import a_task, an_executor, secrets

PATH = "/services/T0001/B0002/very-secret-path"


def node(**members: str) -> Slack:
    made = connector("slack", url=hidden("hook"), **members).slack
    assert made is not None
    return made


async def test_a_message_is_posted_as_json() -> None:
    with serving() as server:
        server.answers[PATH] = (200, {}, b"ok")

        output = await slack.execute(node(text="hello", channel="#ops"), secrets(hook=server.url(PATH)), REACH)

    [(method, _, headers, body)] = server.asked
    assert (method, headers["content-type"]) == ("POST", "application/json")
    assert json.loads(body) == {"text": "hello", "channel": "#ops"}
    assert output == {"status": 200}


async def test_what_the_webhook_says_is_told_and_its_address_is_not() -> None:
    with serving() as server:
        server.answers[PATH] = (404, {}, f"no_service at {PATH}".encode())
        work = {"connector": {"slack": {"url": hidden("hook"), "text": "hello"}}}

        result = await an_executor(hook=server.url(PATH)).execute(a_task(work))

    assert result.reason == "SlackStatus"
    assert result.message.startswith("127.0.0.1 answered 404: no_service at ")
    assert "very-secret-path" not in result.message


async def test_an_address_of_this_machine_is_refused_unless_allowed() -> None:
    with serving() as server, pytest.raises(NodeFailed, match="may not be reached"):
        await slack.execute(node(text="hello"), secrets(hook=server.url(PATH)), INTERNET)
    assert server.asked == []
