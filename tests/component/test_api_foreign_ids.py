"""Every route, asked for what another tenant has: to the caller it is what nobody has, and nothing happens to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from starlette import routing

from headgate.domain.credentials import Values
from headgate.domain.ids import uuid7
from headgate.domain.runner_protocol import (
    ANNOUNCE_PATH,
    ARTIFACT_PATH,
    CLAIM_PATH,
    COMPLETE_PATH,
    CREDENTIALS_PATH,
    CURSOR_PATH,
    HEARTBEAT_PATH,
    RELEASE_PATH,
)
from headgate.gateway.api import DOCUMENT_PATH
from headgate.gateway.hooks import HOOK_PATH
from tests.builders import a_workspace
from tests.component.api_client import Api
from tests.component.copies import given_cursor
from tests.component.tables import TENANT_TABLES
from tests.component.test_api_access import JWT, OF_A_WORKSPACE, ROUTES, Route
from tests.component.webhook_client import SECRET, Sender, a_webhook
from tests.component.world import NOON, World, one_node

RUNNER_PATHS = (CLAIM_PATH, HEARTBEAT_PATH, COMPLETE_PATH, RELEASE_PATH, CREDENTIALS_PATH, CURSOR_PATH, ANNOUNCE_PATH)
UNDOCUMENTED = {
    ("GET", DOCUMENT_PATH),
    ("POST", HOOK_PATH),
    ("PUT", ARTIFACT_PATH),
    *(("POST", path) for path in RUNNER_PATHS),
}
"""What has no key of the API: it is for everybody, or tells callers in a way of its own."""
QUERIES: Mapping[str, tuple[str, ...]] = {
    "getAnalytics": ("workflow", "namespace"),
    "listRuns": ("workflow", "namespace"),
    "listDeliveries": ("hook",),
    "listAuditLog": ("actor",),
    "diffVersions": ("before", "after"),
}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "startRun": {"workflow": "{name}", "namespace": "{namespace}", "replayOf": "{run_id}"},
    "approveNode": {"node": "{step}"},
    "rejectNode": {"node": "{step}"},
    "createKey": {"name": "ci", "role": "viewer"},
    "putCredential": {"kind": "login", "values": {"password": "x"}},
}


OF_ITS_OWN = ("putCredential", "deleteCredential")
"""What makes, or removes, a thing of that name in the caller's workspace, whether there was one or not."""


@dataclass(frozen=True)
class Things:
    """What a path, a query or a body may name."""

    namespace: str
    name: str
    run_id: UUID
    key_id: UUID
    delivery_id: UUID
    hook: str
    step: str
    actor: str

    def values(self) -> dict[str, str]:
        return {"before": "1", "after": "1", "number": "1", "workflow": self.name} | {
            name: str(value) for name, value in vars(self).items()
        }

    def words(self) -> list[str]:
        """What tells of them, the longest first."""
        return sorted((str(value) for value in vars(self).values()), key=len, reverse=True)


NOBODYS = Things(
    "zulu", "zulu-plans", uuid7(NOON, bytes(10)), UUID(int=7), uuid7(NOON, bytes(10)), "zulu-orders", "zulu-step",
    "zulu-owner",
)  # fmt: skip


@pytest.fixture
async def theirs(world: World, api: Api) -> Things:
    """What ``acme`` has of everything, and ``other`` does not."""
    await world.given_workspace("other")
    workflow = one_node("secret-plans").with_trigger("paid", a_webhook("secret-orders", secrets=[_secret()]))
    await world.given(workflow.with_node("secret-step", {"approval": {}}))
    acme = world.ids["acme"]
    values = Values({"current": SECRET})
    await world.engine.credentials.put(acme, "secret-plans", "webhook", values, by="secret-owner")
    run = await world.admit("secret-plans", labels={"secret-label": "secret-value"})
    key = await api.issue()
    await Sender(api, "/hooks/acme/secret-orders").accepted()
    [delivery] = await Sender(api).deliveries()
    await given_cursor(world, "secret-step")
    return Things(
        "acme", "secret-plans", run, key.view.id, UUID(delivery["id"]), "secret-orders", "secret-step", "secret-owner"
    )  # fmt: skip


def _secret() -> dict[str, str]:
    return {"name": "secret-plans", "key": "current"}


async def ask(api: Api, route: Route, token: str, things: Things) -> httpx.Response:
    """Call the route in the workspace ``other`` for these things."""
    api.streams.close()
    values = things.values()
    body = BODIES.get(route.name)
    return await api.request(
        route.method,
        route.path.format(workspace="other", **values),
        None if body is None else json.loads(_filled(json.dumps(body), values)),
        token=token,
        params={name: values[name] for name in QUERIES.get(route.name, ())},
    )


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def told(answer: httpx.Response, things: Things) -> tuple[int, str]:
    """The answer, without what the caller had said already."""
    text = answer.text
    for word in things.words():
        text = text.replace(word, "...")
    return answer.status_code, text


async def had(world: World, workspace: str) -> set[tuple[str, str]]:
    """All rows of a workspace, in short."""
    texts = [
        f"SELECT '{table}' AS name, md5(t::text) AS row FROM headgate.{table} t"
        f" WHERE {'id' if table == 'workspaces' else 'workspace_id'} = %s"
        for table in TENANT_TABLES
    ]
    rows = await world.rows(" UNION ALL ".join(texts), *[world.ids[workspace]] * len(texts))
    return {(row["name"], row["row"]) for row in rows}


async def test_what_another_tenant_has_is_what_nobody_has(world: World, api: Api, theirs: Things) -> None:
    token = (await api.issue("other")).text
    before = await had(world, "acme")

    for route in OF_A_WORKSPACE:
        for_theirs, for_nobodys = await ask(api, route, token, theirs), await ask(api, route, token, NOBODYS)

        assert for_theirs.status_code == for_nobodys.status_code < 500, (route, for_theirs.text)
        if "{" in route.path.replace("{workspace}", "") and route.name not in OF_ITS_OWN:
            assert told(for_theirs, theirs) == told(for_nobodys, NOBODYS), route
            assert for_theirs.status_code == 404, (route, for_theirs.text)
        # What was not said is not answered.
        unsaid = [word for word in theirs.words() if word not in _said(route, theirs)]
        hidden = [*unsaid, "secret-label", "secret-value", str(world.ids["acme"])]
        assert [word for word in hidden if word in for_theirs.text] == [], (route, for_theirs.text)
    assert await had(world, "acme") == before


def _said(route: Route, things: Things) -> str:
    values = things.values()
    said = _filled(route.path, values) + _filled(json.dumps(BODIES.get(route.name, {})), values)
    return said + " ".join(values[name] for name in QUERIES.get(route.name, ()))


async def test_a_cursor_of_another_tenant_leads_into_ones_own_rows_alone(
    world: World, api: Api, theirs: Things
) -> None:
    await world.given(one_node("mine"), "other")
    for _ in range(2):
        await world.admit("secret-plans")
        await world.admit("mine", "other")
        await api.issue()
    token = (await api.issue("other")).text

    cursors = 0
    for route in OF_A_WORKSPACE:
        if route.name == "followRuns" or route.method != "GET" or "{" in route.path.replace("{workspace}", ""):
            continue
        path = route.path.removeprefix("/api/v1/workspaces/{workspace}")
        page = await api.call("GET", path, params={"limit": 1})
        if (cursor := page.json().get("nextCursor")) is None:
            continue
        cursors += 1
        answer = await api.call("GET", path, params={"cursor": cursor}, token=token, workspace="other")
        assert answer.status_code in (200, 422), answer.text
        assert not [word for word in ("secret", str(theirs.run_id), str(theirs.key_id)) if word in answer.text]
    assert cursors >= 3


async def test_every_route_of_the_application_is_one_of_these(api: Api) -> None:
    contexts = iter_route_contexts(api.app.framework.routes)
    found = {(method, context.path) for context in contexts for method in context.methods or ()}

    assert found == UNDOCUMENTED | {(route.method, route.path) for route in ROUTES}


async def test_a_request_is_held_against_each_route_once(api: Api) -> None:
    # And not against all that was included anew on every level.
    assert [route for route in api.app.framework.routes if not isinstance(route, routing.Route)] == []


async def test_what_is_for_runners_is_for_nobody_else(world: World, api: Api, theirs: Things) -> None:
    api.server.namespaces["other"] = "other"
    api.given_members(a_workspace().with_member("owner", "User", "alice"))
    api.server.knows_user(JWT, "alice", audience="headgate")
    api.server.knows("theirs", theirs.run_id, namespace="other")
    attempt = {"runId": str(theirs.run_id), "node": "work", "attempt": 1}
    bodies = {
        CLAIM_PATH: {"runId": str(theirs.run_id)},
        COMPLETE_PATH: {**attempt, "result": {"succeeded": True}},
        CREDENTIALS_PATH: {**attempt, "names": ["secret-plans"]},
    }
    strangers = ["", "x", "head.body.other", JWT, (await api.issue()).text, (await api.issue("other")).text]
    before = await had(world, "acme")

    for path in RUNNER_PATHS:
        body = bodies.get(path, attempt)
        answers = [await api.request("POST", path, body, token=token) for token in strangers]
        assert {answer.status_code for answer in answers} == {401}, path
        # Who shows nothing is told what to show; of all others none is told more than another.
        assert len({answer.text for answer in answers[1:]}) == 1, path
        foreign = await api.request("POST", path, body, token="theirs")
        assert foreign.status_code == (200 if path == CLAIM_PATH else 409), foreign.text
        assert foreign.json().get("task") is None
        said = json.dumps(body)
        assert [word for word in theirs.words() if word in foreign.text and word not in said] == [], path
    assert await had(world, "acme") == before


async def test_a_revoked_an_ended_and_a_made_up_key_are_told_the_same(api: Api) -> None:
    ended = await api.issue(expires_at=api.world.clock.now + timedelta(seconds=1))
    revoked = await api.issue()
    await api.world.engine.api_keys.revoke(api.world.ids["acme"], revoked.view.id, "alice")
    good = (await api.issue()).text
    made_up = good[:-1] + ("a" if good[-1] != "a" else "b")
    api.world.clock.advance(seconds=1)

    answers = {(await api.call("GET", "/runs", token=text)).text for text in (ended.text, revoked.text, made_up)}

    assert len(answers) == 1
