"""Credentials through the API: they go in, are seen by name, and never come out."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from headgate.api.members import Role
from headgate.domain.envelope import KeyRing
from headgate.engine.engine import Engine
from tests.builders import a_workspace
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.vault import PASSWORD, Vault
from tests.component.world import World

JWT = "head.body.signature"


async def put(api: Api, name: str = "shop", password: Any = PASSWORD, **more: Any) -> httpx.Response:
    return await api.call("PUT", f"/credentials/{name}", {"kind": "login", "values": {"password": password}}, **more)


async def test_what_is_put_is_listed_without_its_values_and_given_to_the_node_that_names_it(
    world: World, api: Api
) -> None:
    api.given_members(a_workspace().with_member("owner", "User", "alice"))
    api.server.knows_user(JWT, "alice")
    answer = await put(api, token=JWT)
    listed = await api.get("/credentials")

    assert answer.status_code == 200
    assert listed == {"items": [answer.json()]}
    assert {key: answer.json()[key] for key in ("name", "kind", "version", "createdBy", "updatedBy")} == {
        "name": "shop",
        "kind": "login",
        "version": 1,
        "createdBy": "alice",
        "updatedBy": "alice",
    }
    assert PASSWORD not in answer.text + str(listed)
    vault = Vault(world)
    assert await vault.released(await vault.given_attempt("shop"), "shop") == {"shop": {"password": PASSWORD}}


async def test_a_new_version_is_in_the_name_of_whoever_put_it(api: Api) -> None:
    first = (await put(api)).json()
    second = (await put(api, password="another")).json()

    assert (second["version"], second["createdAt"]) == (2, first["createdAt"])
    assert second["updatedBy"].startswith("apikey:")


async def test_who_expects_another_version_changes_nothing(api: Api) -> None:
    assert (await put(api, params={"version": 0})).status_code == 200

    for answer in (
        await put(api, password="another", params={"version": 0}),
        await put(api, password="another", params={"version": 7}),
        await api.call("DELETE", "/credentials/shop", params={"version": 7}),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (409, "VersionConflict")
    assert (await api.get("/credentials"))["items"][0]["version"] == 1


async def test_one_that_is_deleted_is_gone(api: Api) -> None:
    await put(api)

    assert (await api.call("DELETE", "/credentials/shop")).status_code == 204
    assert (await api.get("/credentials"))["items"] == []
    assert (await api.call("DELETE", "/credentials/shop")).status_code == 404


async def test_rotating_seals_all_anew_and_leaves_what_they_hold(world: World, api: Api) -> None:
    await put(api, "shop")
    await put(api, "till", "till-password")
    before = {row["name"]: row["sealed"] for row in await world.rows("SELECT name, sealed FROM headgate.credentials")}

    assert await api.post("/credentials/rotate") == {"resealed": 2, "unreadable": []}

    after = {row["name"]: row["sealed"] for row in await world.rows("SELECT name, sealed FROM headgate.credentials")}
    assert all(after[name] != before[name] for name in before)
    assert [item["version"] for item in (await api.get("/credentials"))["items"]] == [1, 1]
    vault = Vault(world)
    assert await vault.released(await vault.given_attempt("till"), "till") == {"till": {"password": "till-password"}}


async def test_another_tenants_are_neither_seen_nor_touched(world: World, api: Api) -> None:
    await world.given_workspace("other")
    await Vault(world).put("shop", "theirs", "other")

    assert (await api.get("/credentials"))["items"] == []
    assert (await api.call("DELETE", "/credentials/shop")).status_code == 404
    assert await api.post("/credentials/rotate") == {"resealed": 0, "unreadable": []}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
async def test_owners_alone_see_that_there_are_any(api: Api, role: Role) -> None:
    token = (await api.issue(role=role)).text

    assert (await api.call("GET", "/credentials", token=token)).status_code == 403
    assert (await put(api, token=token)).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"values": {}},
        {"values": {"a b": PASSWORD}},
        {"values": {"password": 7}},
        {"values": {"password": f"{PASSWORD}\x00"}},
        {"values": {"password": PASSWORD * 2000}},
        {"values": {f"k{number}": PASSWORD for number in range(33)}},
        {"values": {"password": PASSWORD}, "kind": "Not A Kind"},
        {"values": {"password": PASSWORD}, "other": PASSWORD},
    ],
)
async def test_what_cannot_be_kept_is_refused_without_being_shown(api: Api, body: dict[str, Any]) -> None:
    answer = await api.call("PUT", "/credentials/shop", body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert PASSWORD not in answer.text
    assert (await api.call("PUT", "/credentials/Not_A_Name", {"values": {"a": PASSWORD}})).status_code == 422


async def test_a_gateway_without_keys_says_so_and_lists_them_all_the_same(world: World) -> None:
    keyless: KeyRing | None = None
    engine = Engine(world.database, world.expressions, clock=world.clock, keys=keyless)
    await Vault(world).put("shop")
    async with replica(world, engine, ApiServer(), Ticking()) as api:
        assert (await put(api)).status_code == 503
        assert [item["name"] for item in (await api.get("/credentials"))["items"]] == ["shop"]
