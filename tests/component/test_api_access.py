"""Who gets at the API: every route, with every credential that is not good enough for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from hack.generate import api_document
from headgate.api.members import Role
from headgate.domain.api_keys import SCOPES, Scope, parse
from headgate.domain.ids import uuid7
from headgate.engine.engine import Engine
from headgate.gateway.callers import BELIEVED_SECONDS, TOKEN_BELIEVED_SECONDS
from tests.builders import a_workspace
from tests.component.api_client import Api, Ticking, replica
from tests.component.world import NOON, World, one_node

JWT = "head.body.signature"


@dataclass(frozen=True)
class Route:
    """A route as the OpenAPI document has it."""

    name: str
    method: str
    path: str
    scope: Scope | None

    def __str__(self) -> str:
        return self.name


def routes() -> Iterator[Route]:
    """All of them, so that a new one is tried too."""
    for path, operations in api_document()["paths"].items():
        for method, operation in operations.items():
            [requirement] = operation["security"]
            [scope] = requirement["bearer"] or [None]
            yield Route(operation["operationId"], method.upper(), path, scope and Scope(scope))


ROUTES = tuple(routes())
OF_A_WORKSPACE = tuple(route for route in ROUTES if "{workspace}" in route.path)
every_route = pytest.mark.parametrize("route", ROUTES, ids=str)
every_route_of_a_workspace = pytest.mark.parametrize("route", OF_A_WORKSPACE, ids=str)


async def ask(api: Api, route: Route, token: str, workspace: str = "acme") -> httpx.Response:
    """Call the route as it is, with values for its path that fit. An answer that would last ends at once."""
    api.streams.close()
    values: dict[str, Any] = {"workspace": workspace, "namespace": "acme", "name": "nightly", "number": 1}
    ids: dict[str, Any] = {"run_id": uuid7(NOON, bytes(10)), "key_id": UUID(int=7), "step": "work"}
    hooks: dict[str, Any] = {"hook": "orders", "delivery_id": uuid7(NOON, bytes(10))}
    return await api.request(route.method, route.path.format(**values, **ids, **hooks), token=token)


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), body
    assert body["status"] == status
    return body


def test_every_route_but_what_tells_of_the_caller_takes_a_scope() -> None:
    assert len(ROUTES) == 42
    assert [route.name for route in ROUTES if route.scope is None] == ["listWorkspaces", "getWorkspace"]


@every_route
async def test_without_a_credential_that_is_good_nobody_gets_anywhere(api: Api, route: Route) -> None:
    soon = await api.issue(expires_at=api.world.clock.now + timedelta(seconds=1))
    revoked, good = await api.issue(), await api.issue()
    await api.world.engine.api_keys.revoke(api.world.ids["acme"], revoked.view.id, "alice")
    api.world.clock.advance(seconds=1)
    mistyped = good.text[:-1] + ("a" if good.text[-1] != "a" else "b")

    for token in ("", "x", JWT, "hg_", mistyped, soon.text, revoked.text, good.text.upper(), "x" * 20_000):
        answer = await ask(api, route, token)
        is_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert token not in answer.text or len(token) < 4


@every_route_of_a_workspace
async def test_another_tenant_is_told_nothing_not_even_that_there_is_such_a_workspace(api: Api, route: Route) -> None:
    await api.world.given_workspace("other")
    api.given_members()
    api.given_members(a_workspace("other").with_member("owner", "User", "mallory"))
    api.server.knows_user(JWT, "mallory")
    key = (await api.issue("other")).text

    for token in (key, JWT):
        theirs, nobodys = await ask(api, route, token), await ask(api, route, token, "no-such-workspace")
        assert is_problem(theirs, 404) == is_problem(nobodys, 404)
        assert "acme" not in theirs.text


@every_route
async def test_too_small_a_role_or_scope_is_told_which_one_it_takes(api: Api, route: Route) -> None:
    if route.scope is None:
        return
    lacking = [await api.issue(role=role) for role in Role if route.scope not in SCOPES[role]]
    narrow = await api.issue(scopes=frozenset(Scope) - {route.scope})

    for issued in (*lacking, narrow):
        assert f"the scope {route.scope}" in is_problem(await ask(api, route, issued.text), 403)["detail"]
    assert "the API key was not given" in (await ask(api, route, narrow.text)).json()["detail"]


@every_route
async def test_the_scope_of_the_route_alone_is_enough(api: Api, route: Route) -> None:
    scopes = frozenset([route.scope]) if route.scope is not None else frozenset([Scope.USAGE_READ])

    answer = await ask(api, route, (await api.issue(scopes=scopes)).text)

    assert answer.status_code not in (401, 403), answer.text


async def test_an_answer_to_a_good_request_names_no_other_tenant(api: Api) -> None:
    await api.world.given_workspace("other")
    await api.world.given(one_node("secret-plans"), "other")
    await api.world.admit("secret-plans", "other")
    await api.issue("other")

    for route in ROUTES:
        if route.method == "GET":
            assert "secret-plans" not in (answer := await ask(api, route, (await api.issue()).text)).text
            assert str(api.world.ids["other"]) not in answer.text


class TestRevoking:
    async def test_every_replica_knows_within_a_second(self, world: World, api: Api, replicas: list[Engine]) -> None:
        issued = await api.issue()
        async with replica(world, replicas[0], api.server, Ticking()) as second:
            for one in (api, second):
                assert (await one.call("GET", "/runs", token=issued.text)).status_code == 200
            assert (await api.call("DELETE", f"/keys/{issued.view.id}")).status_code == 200

            for one in (api, second):
                one.ticking.seconds += BELIEVED_SECONDS
                is_problem(await one.call("GET", "/runs", token=issued.text), 401)
        assert BELIEVED_SECONDS < 1

    async def test_a_key_is_looked_up_once_in_that_time(self, api: Api) -> None:
        issued = await api.issue()
        await api.call("GET", "/runs", token=issued.text)
        await api.world.engine.api_keys.revoke(api.world.ids["acme"], issued.view.id, "alice")

        api.ticking.seconds += BELIEVED_SECONDS - 0.01
        assert (await api.call("GET", "/runs", token=issued.text)).status_code == 200


class TestServiceAccounts:
    @pytest.fixture
    async def ci(self, api: Api) -> str:
        api.given_members(a_workspace().with_member("editor", "ServiceAccount", "ci", "acme"))
        api.server.knows_user(JWT, "system:serviceaccount:acme:ci", "system:serviceaccounts")
        return JWT

    async def test_a_member_acts_in_its_role_under_its_name(self, api: Api, ci: str) -> None:
        caller = (await api.get("", token=ci))["caller"]

        assert caller == {
            "subject": "system:serviceaccount:acme:ci",
            "role": "editor",
            "scopes": sorted(SCOPES[Role.EDITOR]),
        }
        is_problem(await api.call("GET", "/keys", token=ci), 403)

    async def test_a_token_for_runners_is_none_for_the_api(self, api: Api, ci: str) -> None:
        api.server.knows_user(ci, "system:serviceaccount:acme:ci", audience="headgate-runner")

        is_problem(await api.call("GET", "/runs", token=ci), 401)

    async def test_an_api_server_that_knows_nothing_of_audiences_is_not_believed(self, api: Api, ci: str) -> None:
        api.server.knows_audiences = False

        is_problem(await api.call("GET", "/runs", token=ci), 401)

    async def test_who_is_taken_off_the_members_is_out_within_a_second(self, api: Api, ci: str) -> None:
        await api.get("/runs", token=ci)
        api.given_members()

        api.ticking.seconds += BELIEVED_SECONDS
        is_problem(await api.call("GET", "/runs", token=ci), 404)

    async def test_nobody_goes_by_the_name_of_a_key(self, api: Api, ci: str) -> None:
        name = f"apikey:{(await api.issue()).view.id}"
        api.given_members(a_workspace().with_member("owner", "Group", "staff"))
        api.server.knows_user(ci, name, "staff")

        is_problem(await api.call("GET", "/runs", token=ci), 401)

    async def test_the_api_server_is_asked_about_a_token_once_in_a_while(self, api: Api, ci: str) -> None:
        for _ in range(3):
            await api.get("/runs", token=ci)
        assert api.server.asked == 1
        api.server.users.clear()

        api.ticking.seconds += TOKEN_BELIEVED_SECONDS
        is_problem(await api.call("GET", "/runs", token=ci), 401)

    async def test_it_is_not_asked_about_what_cannot_be_a_token(self, api: Api) -> None:
        await api.call("GET", "/runs", token="not-a-token")

        assert api.server.asked == 0

    async def test_a_workspace_that_is_not_recorded_yet_is_none(self, api: Api, ci: str) -> None:
        api.given_members(a_workspace("new").with_member("editor", "ServiceAccount", "ci", "acme"))

        is_problem(await api.call("GET", "/runs", token=ci, workspace="new"), 404)

    @pytest.mark.parametrize("name", ["..", "%2e%2e", "acme%3Fwatch=true", "ACME", "a" * 300])
    async def test_a_name_that_none_can_have_is_not_asked_for(self, api: Api, ci: str, name: str) -> None:
        asked: list[str] = []
        api.server.workspaces = Noting(api.server.workspaces, asked)

        await api.call("GET", "/runs", token=ci, workspace=name)

        assert asked == []

    async def test_where_nobody_can_tell_the_caller_is_to_try_again(self, api: Api, ci: str) -> None:
        api.server.down = True

        answer = await api.call("GET", "/runs", token=ci)

        is_problem(answer, 503)
        assert answer.headers["retry-after"] == "2"

    async def test_a_member_that_this_release_cannot_read_is_none(self, api: Api, ci: str) -> None:
        workspace = a_workspace().with_value("spec.members", [{"role": "emperor"}, "x"])
        api.given_members(workspace.with_member("viewer", "ServiceAccount", "ci", "acme"))

        assert (await api.get("", token=ci))["caller"]["role"] == "viewer"


class Noting(dict[str, Any]):
    """Notes what is asked for."""

    def __init__(self, known: dict[str, Any], asked: list[str]) -> None:
        super().__init__(known)
        self.asked = asked

    def __contains__(self, name: object) -> bool:
        self.asked.append(str(name))
        return super().__contains__(name)


async def test_requests_are_counted_by_route_and_never_by_what_callers_write(api: Api) -> None:
    await api.call("GET", "/runs", params={"status": "Failed"})
    await api.call("GET", "/nothing/here")

    counted = {
        (sample.labels["route"], sample.labels["code"])
        for metric in api.registry.collect()
        for sample in metric.samples
        if sample.name == "headgate_gateway_requests_total"
    }
    assert counted == {("/api/v1/workspaces/{workspace}/runs", "200"), ("", "404")}


async def test_what_is_printed_of_a_key_on_the_way_holds_no_secret(api: Api) -> None:
    text = (await api.issue()).text

    assert text.split("_")[2] not in repr(parse(text))
