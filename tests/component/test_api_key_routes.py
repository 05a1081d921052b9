"""API keys through the API: made, listed, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.domain.api_keys import Scope
from tests.component.api_client import Api


async def test_a_key_is_made_used_listed_and_revoked(api: Api) -> None:
    answer = await api.call("POST", "/keys", {"name": "ci", "role": "viewer"})
    made = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert (made["role"], made["scopes"]) == ("viewer", ["runs:read", "usage:read", "workflows:read"])
    assert made["createdBy"].startswith("apikey:")

    assert (await api.get("", token=made["key"]))["caller"]["subject"] == f"apikey:{made['id']}"

    listed = await api.call("GET", "/keys")
    [item] = [key for key in listed.json()["items"] if key["id"] == made["id"]]
    assert item["lastUsedAt"] is not None
    assert made["key"] not in listed.text
    assert made["key"].split("_")[2] not in listed.text

    ended = (await api.call("DELETE", f"/keys/{made['id']}")).json()
    assert (ended["revokedAt"], ended["revokedBy"]) == ("2026-03-10T12:00:00Z", made["createdBy"])
    api.ticking.seconds += 1
    assert (await api.call("GET", "", token=made["key"])).status_code == 401
    assert (await api.call("DELETE", f"/keys/{made['id']}")).json() == ended


async def test_nobody_makes_a_key_that_may_do_more_than_they_may(api: Api) -> None:
    narrow = (await api.issue(scopes=frozenset([Scope.KEYS_MANAGE, Scope.RUNS_READ]))).text

    for body in ({"role": "owner"}, {"role": "editor", "scopes": ["runs:write"]}):
        problem = await api.post("/keys", {"name": "x", **body}, token=narrow, status=403)
        assert "you do not have the scope" in problem["detail"]
    made = await api.post("/keys", {"name": "x", "role": "editor", "scopes": ["runs:read"]}, token=narrow, status=201)
    assert made["scopes"] == ["runs:read"]


async def test_a_key_that_ends_makes_none_that_lives_longer(api: Api) -> None:
    end = api.world.clock.now + timedelta(days=1)
    ending = (await api.issue(expires_at=end)).text

    for expires in ({}, {"expiresAt": (end + timedelta(seconds=1)).isoformat()}):
        problem = await api.post("/keys", {"name": "x", "role": "viewer", **expires}, token=ending, status=403)
        assert "set expiresAt to 2026-03-11T12:00:00+00:00 or earlier" in problem["detail"]
    body = {"name": "x", "role": "viewer", "expiresAt": end.isoformat()}
    assert (await api.post("/keys", body, token=ending, status=201))["expiresAt"] == "2026-03-11T12:00:00Z"


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "two\nlines"},
        {"name": "x" * 121},
        {"name": "nul\x00"},
        {"role": "emperor"},
        {"scopes": []},
        {"scopes": ["runs:delete"]},
        {"role": "viewer", "scopes": ["runs:write"]},
        {"expiresAt": "2026-03-10T12:00:00Z"},
        {"expiresAt": "9999-12-31T23:59:59-12:00"},
        {"expiresAt": "2026-03-10T13:00:00"},
        {"expiresAt": 1_800_000_000},
        {"workspace": "other"},
    ],
)
async def test_what_makes_no_key_is_refused(api: Api, change: dict[str, Any]) -> None:
    answer = await api.call("POST", "/keys", {"name": "ci", "role": "owner", **change})

    assert answer.status_code == 422, answer.text


async def test_keys_are_listed_newest_first_over_pages(api: Api) -> None:
    made = []
    for _ in range(4):
        api.world.clock.advance(seconds=1)
        issued = await api.issue()
        api.token = issued.text
        made.append(str(issued.view.id))

    first = await api.get("/keys", params={"limit": 3})
    second = await api.get("/keys", params={"limit": 3, "cursor": first["nextCursor"]})

    assert [[key["id"] for key in page["items"]] for page in (first, second)] == [made[:0:-1], made[:1]]
    assert second["nextCursor"] is None
    assert (await api.call("GET", "/keys", params={"cursor": "x"})).status_code == 422


async def test_a_key_of_another_workspace_is_not_there(api: Api) -> None:
    await api.world.given_workspace("other")
    theirs = await api.issue("other")

    for key_id in (theirs.view.id, UUID(int=7)):
        answer = await api.call("DELETE", f"/keys/{key_id}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "the workspace has no such key")
    assert str(theirs.view.id) not in (await api.call("GET", "/keys")).text
    assert (await api.get("", token=theirs.text, workspace="other"))["name"] == "other"
