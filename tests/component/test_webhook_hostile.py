"""Whatever is sent to webhooks by whomever: it is refused with a reason, tells nothing, and leaves nothing."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import strategies as st

from headgate.domain.envelope import KeyRing
from headgate.domain.webhooks import BODY_BYTES
from headgate.engine.engine import Engine
from headgate.engine.webhooks.secrets import CHECKS
from headgate.engine.webhooks.webhooks import KEPT_BYTES
from headgate.gateway.limits import BodyLimit
from tests.component.api_client import Ticking, replica
from tests.component.webhook_client import KEY, OTHER_KEY, PAID, Sender, github, hooked, standard
from tests.component.world import World
from tests.support.generate import many

SEED, REQUESTS = 20, 150
BODY = json.dumps(PAID).encode()


@pytest.fixture
async def sender(world: World, sender: Sender) -> Sender:
    """With a workflow that it starts."""
    await world.given(hooked())
    return sender


async def left_nothing(world: World) -> bool:
    """Whether there is neither a run nor a delivery."""
    tables = ("workflow_executions", "webhook_deliveries", "webhook_refusals", "execution_triggers")
    return not any([await world.rows(f"SELECT 1 AS one FROM headgate.{table}") for table in tables])


def is_problem(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """The problem that a refusal must be."""
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["detail"]
    return body


async def test_what_is_changed_anywhere_is_refused_and_leaves_nothing(world: World, sender: Sender) -> None:
    good = {"Content-Type": "application/json", **standard("msg-1", sender.now, BODY)}
    names = st.sampled_from(("body", "webhook-id", "webhook-timestamp", "webhook-signature"))

    for name, place, bit in many(st.tuples(names, st.integers(0, 500), st.integers(0, 6)), REQUESTS, SEED):
        parts = {**{key: value.encode() for key, value in good.items()}, "body": BODY}
        whole = parts[name]
        at = place % len(whole)
        changed = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
        if name != "body" and not changed.decode("latin-1").isprintable():
            continue  # No client sends it.
        parts[name] = changed
        body = parts.pop("body")
        headers = [(key.encode(), value) for key, value in parts.items()]
        answer = await sender.api.http.post(sender.path, content=body, headers=headers)
        problem = is_problem(answer, 400, 401)
        assert KEY.decode() not in answer.text
        assert "a present" not in problem["detail"]
    assert await left_nothing(world)


async def test_nobody_learns_which_webhooks_and_workspaces_there_are(world: World, sender: Sender) -> None:
    await world.given_workspace("empty")
    paths = (
        "/hooks/acme/orders",
        "/hooks/acme/not-there",
        "/hooks/empty/orders",
        "/hooks/not-there/orders",
        "/hooks/ACME/orders",
        "/hooks/acme/orders%00",
        "/hooks/acme/orders%0a",
        "/hooks/acme/" + "x" * 5000,
    )
    answers = [await sender.send(path=path, key=OTHER_KEY) for path in paths]
    told = {(answer.status_code, answer.text, tuple(sorted(answer.headers.items()))) for answer in answers}

    assert len(told) == 1
    is_problem(answers[0], 401)
    await world.engine.workspaces.retire("acme")
    gone = await sender.send(key=OTHER_KEY)
    assert (gone.status_code, gone.text) == (answers[0].status_code, answers[0].text)


async def test_the_same_is_done_whether_there_is_such_a_webhook_or_not(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    execute, unwrap, digest, sleep = psycopg.AsyncCursor.execute, KeyRing.unwrap, hmac.digest, asyncio.sleep

    async def asked(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        done.append(str(query).split("app.workspace_id")[0])
        return await execute(cursor, query, *arguments, **options)

    def unwrapped(ring: KeyRing, wrapped: Any) -> Any:
        done.append("unwrap")
        return unwrap(ring, wrapped)

    def signed(*arguments: Any) -> bytes:
        done.append("sign")
        return digest(*arguments)

    async def slept(seconds: float) -> None:
        done.append("sleep")
        await sleep(seconds)

    sent = [
        (path, standard("msg-1", sender.now, BODY, OTHER_KEY))
        for path in ("/hooks/acme/orders", "/hooks/acme/not-there", "/hooks/not-there/orders")
    ]
    monkeypatch.setattr(psycopg.AsyncCursor, "execute", asked)
    monkeypatch.setattr(KeyRing, "unwrap", unwrapped)
    monkeypatch.setattr(hmac, "digest", signed)
    monkeypatch.setattr(asyncio, "sleep", slept)
    seen = set()
    for path, headers in sent:
        done.clear()
        assert (await sender.post(BODY, headers, path)).status_code == 401
        seen.add(tuple(done))

    [did] = seen
    counts = {what: did.count(what) for what in ("unwrap", "sign", "sleep")}
    assert (counts, len(did) - sum(counts.values())) == ({"unwrap": CHECKS, "sign": CHECKS, "sleep": 1}, 6)


async def test_headers_of_no_form_are_refused_by_name(world: World, sender: Sender) -> None:
    cases: tuple[tuple[dict[str, str], int], ...] = (
        ({"webhook-id": "x" * 10_240}, 400),
        ({"webhook-id": "a b"}, 400),
        ({"webhook-signature": "v1," + "A" * 10_240}, 400),
        ({"webhook-timestamp": "9" * 400}, 400),
        ({"webhook-timestamp": "0"}, 401),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    )
    for headers, status in cases:
        answer = await sender.send(headers=headers)
        is_problem(answer, status)
        assert len(answer.text) < 400
    assert await left_nothing(world)


async def test_whatever_is_json_is_taken(sender: Sender) -> None:
    for media_type in ("application/json; charset=utf-8", "application/cloudevents+json", "APPLICATION/JSON"):
        assert (await sender.send(media_type[-5:], headers={"Content-Type": media_type})).status_code == 202


async def test_a_header_that_comes_twice_is_refused(world: World, sender: Sender) -> None:
    said = {"Content-Type": "application/json", **standard("msg-1", sender.now, BODY)}
    for name in ("webhook-id", "webhook-signature", "webhook-timestamp"):
        twice = [*said.items(), (name, said[name])]
        answer = await sender.api.http.post(sender.path, content=BODY, headers=twice)
        assert name in is_problem(answer, 400)["detail"]
    assert await left_nothing(world)


async def test_a_line_in_a_header_goes_nowhere(world: World, sender: Sender) -> None:
    answer = await sender.send(headers={"User-Agent": "a\r\nSet-Cookie: b"})

    assert answer.status_code == 202
    assert "set-cookie" not in answer.headers
    [delivery] = await sender.deliveries()
    assert "user-agent" not in delivery["headers"]


class TestBodies:
    async def test_one_that_is_as_large_as_may_be_is_taken(self, sender: Sender) -> None:
        largest = b'"' + b"x" * (BODY_BYTES - 2) + b'"'

        assert (await sender.send(raw=largest)).status_code == 202
        [delivery] = await sender.deliveries()
        assert (delivery["bodyBytes"], delivery["kept"]) == (BODY_BYTES, False)

    async def test_one_is_kept_up_to_a_size(self, sender: Sender) -> None:
        for size in (KEPT_BYTES, KEPT_BYTES + 1):
            await sender.accepted(f"msg-{size}", raw=b'"' + b"x" * (size - 2) + b'"')

        assert [item["kept"] for item in await sender.deliveries()] == [False, True]

    async def test_one_that_is_larger_is_refused_before_anything_is_looked_at(
        self, world: World, sender: Sender
    ) -> None:
        answer = await sender.post(b"x" * (BODY_BYTES + 1), {})

        is_problem(answer, 413)
        assert await left_nothing(world)

    async def test_one_that_never_ends_is_cut(self, world: World, sender: Sender) -> None:
        given = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal given
            while True:
                given += 1
                yield b"[" * 4096

        said = {"Content-Type": "application/json", **standard("msg-1", sender.now, b"")}
        answer = await sender.api.http.post(sender.path, content=endless(), headers=said)

        is_problem(answer, 413)
        assert given <= BODY_BYTES // 4096 + 2
        assert await left_nothing(world)

    async def test_one_that_does_not_come_is_given_up(self) -> None:
        started: list[Any] = []

        async def never() -> Any:
            await asyncio.Event().wait()

        async def note(message: Any) -> None:
            started.append(message)

        async def unreachable(*_: Any) -> None:
            raise AssertionError("the application must not begin")

        scope = {"type": "http", "path": "/hooks/acme/orders", "headers": []}
        async with asyncio.timeout(30):
            await BodyLimit(unreachable, limit=10, patience_seconds=0.01)(scope, never, note)

        assert started[0]["status"] == 408

    async def test_one_that_would_hurt_the_parser_is_refused_unparsed(self, world: World, sender: Sender) -> None:
        deep = (b"[" * 100_000, b'{"a":' * 1001 + b"1" + b"}" * 1001)
        for raw in (*deep, b'"\x00"', "{}".encode("utf-16")):
            is_problem(await sender.send(raw=raw), 400)
        assert await left_nothing(world)

    async def test_one_that_is_signed_and_no_json_is_told_of_in_the_log_and_not_kept(self, sender: Sender) -> None:
        texts = (b"", b"{", b"\xff\xfe", b"[NaN]", b"1e999", b'"\\u0000"', b'"\\ud800"')
        bodies = (*texts, b"[" * 70 + b"]" * 70, b"9" * 5000)
        for number, raw in enumerate(bodies):
            answer = await sender.send(f"msg-{number}", raw=raw)
            assert is_problem(answer, 422)["reason"] == "InvalidBody"

        log = await sender.deliveries()
        assert [(item["outcome"], item["reason"], item["kept"]) for item in log] == [
            ("refused", "InvalidBody", False)
        ] * len(bodies)
        assert (await sender.api.get("/runs"))["items"] == []

    async def test_one_that_was_mended_is_taken_under_the_same_id(self, sender: Sender) -> None:
        await sender.send(raw=b"{")

        assert (await sender.send()).status_code == 202
        [delivery] = await sender.deliveries()
        assert (delivery["outcome"], delivery["reason"], delivery["attempts"], delivery["kept"]) == (
            "accepted",
            "",
            2,
            True,
        )


class TestReplays:
    async def test_after_five_minutes_are_too_late(self, world: World, sender: Sender) -> None:
        at = sender.now
        world.clock.advance(minutes=5, seconds=1)

        assert is_problem(await sender.send(at=at), 401)["reason"] == "OutOfTime"
        assert await left_nothing(world)

    async def test_cannot_be_given_another_time_or_id(self, world: World, sender: Sender) -> None:
        said = standard("msg-1", sender.now, BODY)
        world.clock.advance(minutes=6)

        for changed in ({"webhook-timestamp": str(sender.now)}, {"webhook-id": "msg-2"}):
            is_problem(await sender.post(BODY, said | changed), 401)
        assert await left_nothing(world)

    async def test_to_another_webhook_of_other_secrets_are_refused(self, world: World, sender: Sender) -> None:
        await world.given(hooked("other", hook="builds", secrets=[{"name": "bank", "key": "current"}]))

        is_problem(await sender.send(path="/hooks/acme/builds"), 401)

    async def test_in_the_other_format_are_refused(self, world: World, sender: Sender) -> None:
        is_problem(await sender.post(BODY, github("1", "push", BODY, KEY.decode())), 401)
        assert await left_nothing(world)


class TestAFlood:
    async def test_of_wrong_signatures_is_one_row_however_large(self, world: World, sender: Sender) -> None:
        refusals = sender.api.refusals
        for number in range(20):
            await sender.send(f"msg-{number}", key=OTHER_KEY)
            await sender.send(f"msg-{number}", key=OTHER_KEY, path=f"/hooks/acme/h{number}")
        assert await left_nothing(world)

        await refusals.flush()
        await refusals.flush()

        [row] = await world.rows("SELECT hook, total FROM headgate.webhook_refusals")
        assert row == {"hook": "orders", "total": 20}
        assert (await sender.api.get("/webhooks"))["items"][0]["refused"] == 20

    async def test_is_counted_on(self, world: World, sender: Sender) -> None:
        for _ in range(2):
            await sender.send(key=OTHER_KEY)
            await sender.api.refusals.flush()

        assert (await sender.api.get("/webhooks/orders"))["refused"] == 2


async def test_a_gateway_without_keys_asks_to_be_tried_again_whatever_there_is(world: World, sender: Sender) -> None:
    keyless = Engine(world.database, world.expressions, clock=world.clock)
    async with replica(world, keyless, sender.api.server, Ticking()) as made:
        answers = [await Sender(made).send(path=path) for path in ("/hooks/acme/orders", "/hooks/nobody/orders")]

    assert [is_problem(answer, 503) for answer in answers] == [is_problem(answers[0], 503)] * 2
    assert answers[0].headers["retry-after"]
    assert await left_nothing(world)


async def test_only_post_is_a_delivery(sender: Sender) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        assert (await sender.api.http.request(method, sender.path)).status_code == 405
