"""Which workspaces somebody is shown, and as what."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from headgate.api.members import Role
from headgate.gateway.memberships import LISTED_SECONDS
from tests.builders import a_workspace
from tests.component.api_client import Api

JWT = "head.body.signature"


async def listed(api: Api, token: str | None = None, **params: Any) -> httpx.Response:
    return await api.request("GET", "/api/v1/workspaces", token=token, params=params)


async def names(api: Api, token: str | None = None, **params: Any) -> list[tuple[str, str]]:
    answer = await listed(api, token, **params)
    assert answer.status_code == 200, answer.text
    return [(item["name"], item["role"]) for item in answer.json()["items"]]


@pytest.fixture
async def alice(api: Api) -> str:
    """The token of somebody who belongs to two of three workspaces."""
    await api.world.given_workspace("other")
    await api.world.given_workspace("third", suspended=True)
    api.given_members(a_workspace().with_member("owner", "User", "mallory"))
    api.given_members(a_workspace("third").with_member("viewer", "User", "alice").with_member("owner", "Group", "ops"))
    api.given_members(a_workspace("other").with_member("editor", "User", "alice"))
    api.server.knows_user(JWT, "alice")
    return JWT


async def test_a_key_has_its_own_one(api: Api) -> None:
    await api.world.given_workspace("other")

    answer = await listed(api, (await api.issue("other", Role.EDITOR)).text)

    [item] = answer.json()["items"]
    assert item == {"id": str(api.world.ids["other"]), "name": "other", "suspended": False, "role": "editor"}
    assert answer.json()["nextCursor"] is None


async def test_a_user_has_those_of_which_they_are_a_member_by_name_and_no_other(api: Api, alice: str) -> None:
    assert await names(api, alice) == [("other", "editor"), ("third", "viewer")]
    assert "acme" not in (await listed(api, alice)).text


async def test_groups_count_as_members_and_the_highest_role_is_told(api: Api, alice: str) -> None:
    api.server.knows_user(JWT, "alice", "ops")

    assert await names(api, alice) == [("other", "editor"), ("third", "owner")]


async def test_who_belongs_nowhere_is_told_so(api: Api) -> None:
    api.server.knows_user(JWT, "nobody")

    assert await names(api, JWT) == []


async def test_pages_follow_each_other_without_a_gap(api: Api, alice: str) -> None:
    first = (await listed(api, alice, limit=1)).json()
    second = (await listed(api, alice, limit=1, cursor=first["nextCursor"])).json()
    third = (await listed(api, alice, limit=1, cursor=second["nextCursor"])).json()

    assert [item["name"] for page in (first, second, third) for item in page["items"]] == ["other", "third"]
    assert third["nextCursor"] is None


async def test_one_that_is_not_recorded_yet_is_left_out(api: Api, alice: str) -> None:
    api.given_members(a_workspace("new").with_member("owner", "User", "alice"))

    assert [name for name, _ in await names(api, alice)] == ["other", "third"]


async def test_workspaces_are_listed_once_in_a_while_however_many_ask(api: Api, alice: str) -> None:
    for _ in range(3):
        await names(api, alice)
    assert api.server.listed == 1
    api.given_members(a_workspace("other"))

    api.ticking.seconds += LISTED_SECONDS
    assert await names(api, alice) == [("third", "viewer")]
    assert api.server.listed == 2


async def test_where_nobody_can_tell_the_caller_is_to_try_again(api: Api, alice: str) -> None:
    await names(api, alice)
    api.server.down = True

    api.ticking.seconds += LISTED_SECONDS
    assert (await listed(api, alice)).status_code == 503
