"""What runners ask the gateway for, over HTTP and on real rows; only the API server is played."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from prometheus_client import CollectorRegistry

from headgate.api.workflow_run import RunPhase
from headgate.cluster.client import KubeClient
from headgate.domain.ids import uuid7
from headgate.domain.runner_protocol import REQUEST_BYTES
from headgate.engine.types import Effects
from headgate.gateway.app import gateway
from headgate.gateway.authentication import REMEMBERED_SECONDS, Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.streams import Streams
from headgate.gateway.ties import Ties
from tests.builders import a_workflow
from tests.component.api_server import ApiServer
from tests.component.copies import table
from tests.component.vault import PASSWORD, Vault, naming
from tests.component.world import World

LEASE = timedelta(seconds=15)


@dataclass
class Gateway:
    http: httpx.AsyncClient
    api: ApiServer
    heard: list[Effects]
    time: float = 0.0

    async def post(self, path: str, body: Any, token: str | None = "token-1", **more: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.http.post(f"/runner/v1/{path}", json=body, headers=headers, **more)

    async def claim(self, run: UUID, token: str = "token-1") -> Any:
        answer = await self.post("claim", {"runId": str(run)}, token)
        assert answer.status_code == 200, answer.text
        return answer.json()["task"]


@pytest.fixture
async def served(world: World) -> AsyncIterator[Gateway]:
    api, heard = ApiServer(), list[Effects]()
    made = Gateway(cast("httpx.AsyncClient", None), api, heard)
    authenticator = Authenticator(cast("KubeClient", api), world.engine.workspaces, monotonic=lambda: made.time)

    def hear(_workspace: str, effects: Effects) -> None:
        heard.append(effects)

    callers = Callers(
        cast("KubeClient", api), world.engine.api_keys, world.engine.workspaces, monotonic=lambda: made.time
    )
    limits = world.engine.call_limits(burst=1000, monotonic=lambda: made.time)
    registry = CollectorRegistry()
    streams = Streams(world.engine.changes, registry, most=0, most_of_workspace=0)
    app = gateway(
        Ties(
            engine=world.engine,
            authenticator=authenticator,
            callers=callers,
            limits=limits,
            streams=streams,
            registry=registry,
            lease=LEASE,
            wall=world.clock,
            heard=hear,
        )
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        made.http = http
        yield made


@pytest.fixture
async def run(world: World, served: Gateway) -> UUID:
    """A run of two scripts, whose runner has ``token-1``."""
    script = {"script": {"language": "shell", "source": "true"}}
    await world.given(a_workflow().with_node("one", script).with_node("two", script, after=["one"]))
    run = await world.admit()
    served.api.knows("token-1", run)
    return run


def attempt(run: UUID, node: str, **more: Any) -> dict[str, Any]:
    return {"runId": str(run), "node": node, "attempt": 1, **more}


SUCCESS = {"succeeded": True, "output": {"rows": 3}}


async def test_a_run_is_worked_off_in_one_request_a_node(world: World, served: Gateway, run: UUID) -> None:
    task = await served.claim(run)
    assert (task["node"], task["attempt"], task["leaseSeconds"], task["timeoutSeconds"]) == ("one", 1, 15.0, 86400.0)
    assert task["work"] == {"script": {"language": "shell", "source": "true", "env": []}}

    assert (await served.post("heartbeat", attempt(run, "one"))).json() == {"stop": False}
    following = (await served.post("complete", attempt(run, "one", result=SUCCESS))).json()["task"]
    assert following["node"] == "two"
    answer = await served.post("complete", attempt(run, "two", result={"succeeded": True}))

    assert answer.json() == {"task": None}
    view = await world.view(run)
    assert (view.phase, view.nodes[0].output) == (RunPhase.SUCCEEDED, {"rows": 3})
    assert [ended.run_id for effects in served.heard for ended in effects.finished] == [run]


async def test_a_failure_is_recorded_with_its_reason(world: World, served: Gateway, run: UUID) -> None:
    await served.claim(run)
    failure = {"succeeded": False, "reason": "ExitCode", "message": "exited with code 3", "exitCode": 3}

    await served.post("complete", attempt(run, "one", result=failure))

    node = (await world.view(run)).nodes[0]
    assert (node.reason, node.message) == ("ExitCode", "exited with code 3")


async def test_a_lost_lease_is_a_conflict(world: World, served: Gateway, run: UUID) -> None:
    served.api.knows("token-2", run, uid="uid-2")
    await served.claim(run, "token-1")
    world.clock.advance(seconds=15)
    assert (await served.claim(run, "token-2"))["node"] == "one"

    for path, body in (("heartbeat", attempt(run, "one")), ("complete", attempt(run, "one", result=SUCCESS))):
        answer = await served.post(path, body)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "attempt 1 of node one is not yours any more: give it up",
        }


@pytest.mark.parametrize("token", [None, "", "unknown", "x" * 20_000])
async def test_without_a_good_token_nothing_is_told(served: Gateway, run: UUID, token: str | None) -> None:
    answer = await served.post("claim", {"runId": str(run)}, token)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["status"] == 401


async def test_a_token_for_another_audience_is_refused(served: Gateway, run: UUID) -> None:
    served.api.knows("token-1", run, audiences=["https://kubernetes.default.svc"])

    assert (await served.post("claim", {"runId": str(run)})).status_code == 401


async def test_another_account_of_the_namespace_is_no_runner(served: Gateway, run: UUID) -> None:
    served.api.knows("token-1", run, account="default")

    assert (await served.post("claim", {"runId": str(run)})).status_code == 403


async def test_a_namespace_of_no_workspace_has_no_runners(served: Gateway, run: UUID) -> None:
    served.api.knows("token-1", run, namespace="kube-system")

    answer = await served.post("claim", {"runId": str(run)})

    assert (answer.status_code, "belongs to no workspace" in answer.json()["detail"]) == (403, True)


async def test_the_workspace_is_that_of_the_token_whatever_the_body_says(
    world: World, served: Gateway, run: UUID
) -> None:
    await world.given_workspace("evil")
    served.api.namespaces["evil"] = "evil"
    served.api.knows("evil-token", run, namespace="evil")
    await served.claim(run)

    assert await served.claim(run, "evil-token") is None
    assert (await served.post("complete", attempt(run, "one", result=SUCCESS), "evil-token")).status_code == 409
    assert (await served.post("claim", {"runId": str(run), "workspace": "acme"}, "evil-token")).status_code == 422


async def test_a_runner_of_another_run_gets_nothing(world: World, served: Gateway, run: UUID) -> None:
    other = await world.admit()

    answer = await served.post("claim", {"runId": str(other)})

    assert (answer.status_code, "no runner of that run" in answer.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": "1"},
        {"attempt": 0},
        {"node": ""},
        {"result": {"succeeded": "yes"}},
        {"result": {"succeeded": False, "reason": "two words"}},
        {"result": {"succeeded": True, "startedAt": "2026-01-01T00:00:00Z"}},
    ],
)
async def test_what_is_not_in_the_form_is_refused_without_its_values(
    served: Gateway, run: UUID, change: dict[str, Any]
) -> None:
    answer = await served.post("complete", {**attempt(run, "one", result=SUCCESS), **change})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "yes" not in answer.json()["detail"]


async def test_a_request_that_is_too_large_is_refused_told_or_not(served: Gateway, run: UUID) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(REQUEST_BYTES // 1000 + 1):
            yield b" " * 1000

    told = await served.post("claim", {"runId": str(run), "x": "x" * REQUEST_BYTES})
    untold = await served.http.post("/runner/v1/claim", content=chunks())

    assert (told.status_code, untold.status_code) == (413, 413)


async def test_the_api_server_is_asked_again_only_after_a_while(served: Gateway, run: UUID) -> None:
    await served.claim(run)
    await served.claim(run)
    assert served.api.asked == 1
    served.time += REMEMBERED_SECONDS
    served.api.users.clear()

    assert (await served.post("claim", {"runId": str(run)})).status_code == 401


async def test_where_nobody_can_tell_the_runner_is_to_try_again(served: Gateway, run: UUID) -> None:
    served.api.down = True

    answer = await served.post("claim", {"runId": str(run)})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_what_is_not_there_is_a_problem_too(served: Gateway) -> None:
    answer = await served.http.get("/nothing")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.fixture
async def naming_run(world: World, served: Gateway) -> UUID:
    """A run whose node names the credential ``shop``, and that ``token-1`` is a runner of."""
    await Vault(world).put("shop")
    await world.given(a_workflow("naming").with_node("one", naming("shop")))
    run = await world.admit("naming")
    served.api.knows("token-1", run)
    return run


async def test_a_runner_is_given_what_the_node_of_its_attempt_names(
    world: World, served: Gateway, naming_run: UUID
) -> None:
    await served.claim(naming_run)

    answer = await served.post("credentials", attempt(naming_run, "one", names=["shop"]))

    assert answer.json() == {"values": {"shop": {"password": PASSWORD}}}
    assert answer.headers["cache-control"] == "no-store"
    [release] = await world.engine.credentials.releases(world.ids["acme"], "shop")
    assert (release.run_id, release.node, release.attempt) == (naming_run, "one", 1)
    assert release.runner.endswith("/uid-1")


async def test_a_credential_that_may_not_be_had_is_a_problem_that_tells_nothing_of_it(
    world: World, served: Gateway, naming_run: UUID
) -> None:
    asked = attempt(naming_run, "one", names=["shop"])
    other = attempt(naming_run, "one", names=["bank"])

    assert (await served.post("credentials", asked)).status_code == 409
    await served.claim(naming_run)
    assert (await served.post("credentials", asked, token="unknown")).status_code == 401
    assert (await served.post("credentials", other)).status_code == 403
    stranger = {**asked, "runId": str(uuid7(world.clock.now, bytes(10)))}
    assert (await served.post("credentials", stranger)).status_code == 403
    for body in ({**asked, "names": []}, {**asked, "names": ["x"] * 65}, {**asked, "workspaceId": str(naming_run)}):
        assert (await served.post("credentials", body)).status_code == 422
    await world.rows("UPDATE headgate.credentials SET version = 9 RETURNING 1")
    unreadable = await served.post("credentials", asked)
    assert (unreadable.status_code, "cannot be decrypted" in unreadable.json()["detail"]) == (410, True)
    await world.rows("UPDATE headgate.data_keys SET key_encryption_key = 'gone' RETURNING 1")
    keyless = await served.post("credentials", asked)
    assert (keyless.status_code, keyless.headers["retry-after"]) == (503, "2")
    assert "gone" not in keyless.text
    await world.rows("DELETE FROM headgate.credentials RETURNING 1")
    missing = await served.post("credentials", asked)
    assert (missing.status_code, missing.json()["detail"]) == (404, "the workspace has no credential shop")
    assert await world.engine.credentials.releases(world.ids["acme"], "shop") == ()


@pytest.mark.parametrize("path", ["credentials", "credentials/shop", "data_keys"])
async def test_no_credential_is_read_by_a_get(served: Gateway, run: UUID, path: str) -> None:
    answer = await served.http.get(f"/runner/v1/{path}", headers={"Authorization": "Bearer token-1"})

    assert answer.status_code in (404, 405)


async def test_a_cursor_is_asked_for_and_moved(world: World, served: Gateway) -> None:
    ends = {"source": table("orders", cursor=["id"]), "target": table("copy", key=["id"])}
    await world.given(a_workflow().with_node("copy", {"connector": {"sync": ends}}))
    run, other = await world.admit(), await world.admit()
    served.api.knows("token-1", run)
    served.api.knows("token-2", other, uid="uid-2")
    await served.claim(run)

    assert (await served.post("cursor", attempt(run, "copy"))).json() == {"at": None, "until": None}
    moved = attempt(run, "copy", moved={"at": "[3]", "until": "[7]"}, records=3)
    assert (await served.post("cursor", moved)).status_code == 200
    assert (await served.post("cursor", attempt(run, "copy"))).json() == {"at": "[3]", "until": "[7]"}

    await served.claim(other, "token-2")
    busy = await served.post("cursor", attempt(other, "copy"), "token-2")
    assert (busy.status_code, "another run copies" in busy.json()["detail"]) == (423, True)
    assert (await served.post("cursor", attempt(run, "copy"), "token-2")).status_code == 403
    assert (await served.post("cursor", attempt(other, "copy", moved={"at": "[9]"}), "token-2")).status_code == 409
    too_long = attempt(run, "copy", moved={"at": "x" * 20_000})
    assert (await served.post("cursor", too_long)).status_code == 422
