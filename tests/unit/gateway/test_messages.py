"""Messages of runners go past the framework, and nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import ClientDisconnect, Request

from headgate.domain.envelope import CannotOpen, UnknownKey
from headgate.domain.runner_protocol import Attempt, Kept, Message
from headgate.domain.task import TaskRef
from headgate.engine.archive.files import ArchiveDamaged
from headgate.engine.credentials.types import CredentialMissing, CredentialRefused, KeysMissing
from headgate.engine.sync.cursors import CursorBusy, CursorRefused
from headgate.engine.types import LeaseLost
from headgate.gateway.authentication import Authenticator, Runner
from headgate.gateway.limits import BodyLimit
from headgate.gateway.messages import Messages, message_route
from headgate.gateway.metrics import GatewayMetrics, Measured
from headgate.gateway.problems import Problem, answer_with_problems
from headgate.gateway.token_review import unauthorized
from headgate.objects.object_store import StoreUnavailable
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable, RunFrozen
from tests.unit.gateway.asgi import GONE, Exchange

PATH, SECRET = "/runner/v1/heartbeat", "/runner/v1/credentials"
GOOD = b'{"runId":"01890000-0000-7000-8000-000000000001","node":"one","attempt":1}'
RUNNER = Runner(UUID(int=1), "acme", "acme", "headgate-runners-abc-1", "uid")


class Known:
    """Knows the runner with one token."""

    async def runner(self, authorization: str) -> Runner:
        if authorization != "Bearer good":
            raise unauthorized("a token of the runner's service account is needed")
        return RUNNER


class Handling:
    """Handles messages as it is told."""

    def __init__(self) -> None:
        self.seen: list[Attempt] = []
        self.gone: list[bool] = []
        self.answer: Message | None = Kept(stop=True)
        self.error: Exception | None = None

    async def __call__(self, body: Attempt, caller: Runner, request: Request) -> Message | None:
        assert caller is RUNNER
        self.seen.append(body)
        self.gone.append(await request.is_disconnected())
        if self.error is not None:
            raise self.error
        return self.answer


class Application:
    """The same routes twice: as they are served, and as the framework alone would serve them."""

    def __init__(self) -> None:
        self.handling = Handling()
        authenticator = cast("Authenticator", Known())
        routes = [
            message_route(PATH, Attempt, authenticator, self.handling),
            message_route(SECRET, Attempt, authenticator, self.handling, secret=True),
        ]
        framework = FastAPI()
        framework.router.redirect_slashes = False
        answer_with_problems(framework)
        framework.router.routes += routes
        self.registry = CollectorRegistry()
        metrics = GatewayMetrics.register(self.registry)
        self.direct = Measured(BodyLimit(Messages(routes, framework), limit=1000), metrics=metrics)
        self.framework = BodyLimit(framework, limit=1000)

    def counted(self, route: str, code: int) -> float | None:
        """Requests of a route with that answer."""
        labels = {"route": route, "code": str(code)}
        return self.registry.get_sample_value("headgate_gateway_requests_total", labels)


@pytest.fixture
def app() -> Application:
    return Application()


def sent(body: bytes = GOOD, token: str = "good", path: str = PATH, method: str = "POST", **more: str) -> Exchange:
    return Exchange(method, path, [body], {"Authorization": f"Bearer {token}", **more})


async def both(app: Application, make: Callable[[], Exchange]) -> Exchange:
    """What is answered, which is what the framework alone would send."""
    direct, framework = await make().through(app.direct), await make().through(app.framework)
    assert direct.sent == framework.sent
    assert repr(direct.failure) == repr(framework.failure)
    return direct


async def test_a_message_is_handled_without_the_framework(app: Application) -> None:
    exchange = await sent().through(app.direct)

    assert (exchange.status, exchange.body) == (200, b'{"stop":true}')
    assert exchange.fields == {"content-length": "13", "content-type": "application/json"}
    assert [attempt.node for attempt in app.handling.seen] == ["one"]
    assert "app" not in exchange.scope, "the framework leaves itself there"


@pytest.mark.parametrize("path", [PATH, SECRET])
async def test_an_answer_is_the_one_that_the_framework_gives(app: Application, path: str) -> None:
    exchange = await both(app, lambda: sent(path=path))

    assert exchange.fields.get("cache-control") == ("no-store" if path == SECRET else None)


async def test_nothing_is_answered_where_there_is_nothing_to_say(app: Application) -> None:
    app.handling.answer = None

    exchange = await both(app, sent)

    assert (exchange.status, exchange.fields, exchange.body) == (204, {}, b"")


REF = TaskRef(UUID(int=1), UUID(int=2), "one", 1)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LeaseLost(REF), 409),
        (CursorBusy(REF), 423),
        (CursorRefused("not here"), 403),
        (CredentialRefused("not for this namespace"), 403),
        (CredentialMissing("there is none"), 404),
        (CannotOpen(), 410),
        (RunFrozen("it left the history"), 409),
        (KeysMissing(), 503),
        (UnknownKey("two"), 503),
        (DatabaseUnavailable("down"), 503),
        (DatabaseNotMigrated("old"), 503),
        (StoreUnavailable("down"), 503),
        (ArchiveDamaged("changed"), 503),
    ],
)
async def test_a_refusal_of_the_engine_is_the_one_that_the_framework_gives(
    app: Application, error: Exception, status: int
) -> None:
    app.handling.error = error

    exchange = await both(app, sent)

    assert (exchange.status, exchange.failure) == (status, None)
    assert ("retry-after" in exchange.fields) == (status == 503)
    assert app.counted(PATH, status) == 1


async def test_a_problem_is_told_with_its_headers_and_its_reason(app: Application) -> None:
    app.handling.error = Problem(cast("Any", 429), "as many as may be", {"Retry-After": "2"}, reason="Many")

    exchange = await both(app, sent)

    assert (exchange.status, exchange.fields["retry-after"]) == (429, "2")
    assert b'"reason":"Many"' in exchange.body


async def test_what_nobody_expected_is_told_to_the_server_and_not_to_the_runner(app: Application) -> None:
    app.handling.error = RuntimeError("password=hunter2")

    exchange = await both(app, sent)

    assert (exchange.status, exchange.failure) == (500, app.handling.error)
    assert b"hunter2" not in exchange.body
    assert app.counted(PATH, 500) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (GOOD + b"x", 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (GOOD[:-1] + b',"more":1}', 422),
        (GOOD.replace(b"1}", b'"1"}'), 422),
    ],
)
@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
@pytest.mark.parametrize("token", ["good", "bad"])
async def test_a_mistake_is_told_as_the_framework_tells_it(
    app: Application, body: bytes, status: int, media_type: str, token: str
) -> None:
    exchange = await both(app, lambda: sent(body, token, **{"Content-Type": media_type}))

    # Who calls is told before what is said is read.
    assert exchange.status == (status if token == "good" else 401)
    assert app.handling.seen == []


async def test_what_is_too_large_is_refused_before_anybody_is_asked_who_it_is(app: Application) -> None:
    exchange = await both(app, lambda: sent(b"x" * 1001, "bad"))

    assert exchange.status == 413
    assert app.counted("", 413) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", PATH, 405), ("PUT", PATH, 405), ("POST", f"{PATH}/", 404), ("POST", "/runner/v1/other", 404)],
)
async def test_what_is_no_message_is_left_to_the_framework(
    app: Application, method: str, path: str, status: int
) -> None:
    exchange = await both(app, lambda: sent(method=method, path=path))

    assert exchange.status == status
    assert exchange.fields.get("allow") == ("POST" if status == 405 else None)
    assert app.handling.seen == []


async def test_a_message_whose_sender_went_is_not_read(app: Application) -> None:
    exchange = await Exchange("POST", PATH, [GOOD[:5], GONE], {"Authorization": "Bearer good"}).through(app.direct)

    assert isinstance(exchange.failure, ClientDisconnect)
    assert app.handling.seen == []


@pytest.mark.parametrize("goes", [True, False])
async def test_it_is_told_whether_the_sender_waits_still(app: Application, goes: bool) -> None:

    async def receiving(scope: Any, receive: Any, send: Any) -> None:
        first = True

        async def then() -> Any:
            nonlocal first
            if first:
                first = False
                return await receive()
            return dict(GONE) if goes else await receive()

        await app.direct(scope, then, send)

    exchange = await sent().through(receiving)

    assert (exchange.status, app.handling.gone) == (200, [goes])
