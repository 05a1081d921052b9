"""What is sent again, and what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from headgate.client.errors import CallFailed, OutcomeUnknown, Refused, Unreachable
from headgate.client.events import Event, events
from headgate.client.transport import Transport, path_of

Answering = Callable[[httpx.Request], httpx.Response]


class Line:
    """A server that answers from a list, and a clock that takes no time."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        http = httpx.AsyncClient(base_url="http://gateway", transport=httpx.MockTransport(self._answer))
        self.told: list[str] = []
        self.transport = Transport(http, "hg_secret", sleep=self._sleep, tell=self.told.append)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def refused(status: int, detail: str = "no", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"status": status, "detail": detail, "reason": "Why"}, headers=named)


OK = httpx.Response(200, json={"id": "x"})
LOST, CLOSED = httpx.ReadError("lost"), httpx.ConnectError("refused")


async def test_a_refusal_has_the_servers_words() -> None:
    with pytest.raises(Refused, match=r"^no$") as told:
        await Line(refused(409)).transport.call("POST", "/runs")

    assert (told.value.status, told.value.reason) == (409, "Why")


@pytest.mark.parametrize("answer", [httpx.Response(502, text="<html>"), httpx.Response(404, json=["x"])])
async def test_an_answer_of_something_else_is_said_to_be_one(answer: httpx.Response) -> None:
    with pytest.raises(Refused, match="is --server right"):
        await Line(answer).transport.call("POST", "/runs")


async def test_what_only_reads_is_sent_again_when_the_connection_is_lost() -> None:
    line = Line(LOST, refused(503), OK)

    assert await line.transport.call("GET", "/runs") == {"id": "x"}
    assert len(line.requests) == 3


async def test_what_changes_something_is_not_unless_it_cannot_have_arrived() -> None:
    with pytest.raises(OutcomeUnknown):
        await Line(LOST, OK).transport.call("POST", "/cancel")
    with pytest.raises(Refused):
        await Line(refused(503), OK).transport.call("POST", "/cancel")
    assert await Line(CLOSED, OK).transport.call("POST", "/cancel") == {"id": "x"}


async def test_with_a_key_it_is_sent_again_under_the_same_key() -> None:
    line = Line(LOST, refused(502), OK)

    await line.transport.call("POST", "/runs", headers={"idempotency-key": "k"}, body={})

    assert [request.headers["idempotency-key"] for request in line.requests] == ["k", "k", "k"]


async def test_what_is_too_much_waits_as_long_as_the_server_says_and_tells_so() -> None:
    line = Line(refused(429, "slowly", Retry_After="7"), OK)

    await line.transport.call("POST", "/cancel")

    assert line.slept == [7]
    assert line.told == ["slowly; trying again in 7 s"]


async def test_it_does_not_wait_for_ever() -> None:
    line = Line(refused(429, Retry_After="1800"), OK)
    with pytest.raises(Refused) as told:
        await line.transport.call("GET", "/runs")

    assert (line.slept, told.value.retry_after) == ([], 1800)


async def test_a_server_that_is_not_there_is_given_up() -> None:
    line = Line(*[CLOSED] * 20)
    with pytest.raises(Unreachable, match="http://gateway cannot be reached"):
        await line.transport.call("GET", "/runs")

    assert len(line.requests) == 6


async def test_no_error_repeats_the_token() -> None:
    for answer in (LOST, refused(401), httpx.LocalProtocolError("Illegal header value b'Bearer hg_secret'")):
        with pytest.raises(CallFailed) as told:
            await Line(answer).transport.call("POST", "/cancel")
        assert "hg_secret" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "path"), [("a/b", "/runs/a%2Fb"), ("..", "/runs/%2E%2E"), ("a?b#c", "/runs/a%3Fb%23c")]
)
def test_nothing_leaves_its_segment_of_a_path(name: str, path: str) -> None:
    assert path_of("/runs/{name}", name=name) == path


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_events_are_read_however_they_are_cut(size: int) -> None:
    text = "retry: 2000\n\n: still here\n\nevent: open\nid: 1-1-1\n\n"
    text += 'event: run\r\nid: 2\r\ndata: {"a": "ü"}\r\n\r\nevent: x'

    async def pieces() -> AsyncIterator[bytes]:
        content = text.encode()
        for start in range(0, len(content), size):
            yield content[start : start + size]

    assert [event async for event in events(pieces())] == [Event("open", None, "1-1-1"), Event("run", {"a": "ü"}, "2")]


@pytest.mark.parametrize(("silent", "patience"), [(True, None), (False, 45.0)])
async def test_a_log_may_say_nothing_for_long_and_events_may_not(silent: bool, patience: float | None) -> None:
    line = Line(OK)

    async with line.transport.stream("GET", "/log", silent=silent):
        assert line.requests[0].extensions["timeout"]["read"] == patience
