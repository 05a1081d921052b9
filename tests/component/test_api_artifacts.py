"""Files that attempts left, through the API: listed in pages, and sent as what is to be saved and never shown."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from uuid import UUID, uuid4

import pytest

from headgate.api.members import Role
from headgate.gateway.routes import artifacts
from tests.component.api_client import Api
from tests.component.archived import Archive
from tests.component.leaving import hold, leave, left_by_a_run, scripted
from tests.component.world import World

PAGE = b"<script>alert(1)</script>"


@pytest.fixture
async def run(world: World, api: Api) -> UUID:
    """A run that left three files."""
    return await left_by_a_run(world, api.objects, page_html=PAGE, a_csv=b"1,2\n", empty=b"")


async def test_they_are_listed_by_node_attempt_and_name(api: Api, run: UUID) -> None:
    listed = await api.get(f"/runs/{run}/artifacts")

    assert [item["name"] for item in listed["items"]] == ["a.csv", "empty", "page.html"]
    assert listed["items"][2] == {
        "node": "work",
        "attempt": 1,
        "name": "page.html",
        "bytes": len(PAGE),
        "sha256": hashlib.sha256(PAGE).hexdigest(),
        "contentType": "text/html",
        "createdAt": listed["items"][0]["createdAt"],
    }
    assert listed["nextCursor"] is None


async def test_pages_go_on_where_the_one_before_ended(world: World, api: Api) -> None:
    await world.given(scripted(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()
    await hold(world, run)
    for name in ("Z", "a", "a.b", "_"):
        await leave(world, api.objects, run, name, b"x")
    await world.fail(run)
    await hold(world, run)
    await leave(world, api.objects, run, "a", b"x", attempt=2)

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await api.get(f"/runs/{run}/artifacts", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        found += [(item["attempt"], item["name"]) for item in page["items"]]
        cursor, pages = page["nextCursor"], pages + 1

    assert found == [(1, "Z"), (1, "_"), (1, "a"), (1, "a.b"), (2, "a")]
    assert pages == 3


@pytest.mark.parametrize(
    "cursor", ["x", "[]", "{}", '["a",0,"b"]', '["a",1]', '["a",99999999999,"b"]', '["a\\u0000",1,"b"]', "[" * 500]
)
async def test_a_cursor_that_no_list_gave_is_refused(api: Api, run: UUID, cursor: str) -> None:
    assert (await api.call("GET", f"/runs/{run}/artifacts", params={"cursor": cursor})).status_code == 422


async def test_a_file_is_sent_as_what_is_to_be_saved(api: Api, run: UUID) -> None:
    answer = await api.call("GET", f"/runs/{run}/artifacts/work/page.html")

    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["content-disposition"] == 'attachment; filename="page.html"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    digest = base64.b64encode(hashlib.sha256(PAGE).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert (await api.call("GET", f"/runs/{run}/artifacts/work/empty")).content == b""


async def test_a_large_one_comes_piece_by_piece_and_whole(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "PIECE_BYTES", 7)
    content = bytes(range(256)) * 3
    run = await left_by_a_run(world, api.objects, all=content)

    assert (await api.call("GET", f"/runs/{run}/artifacts/work/all")).content == content


async def test_that_of_the_latest_attempt_is_meant_unless_one_is_named(world: World, api: Api) -> None:
    await world.given(scripted(retry={"limit": 1, "initialDelay": "0s"}))
    run = await world.admit()
    await hold(world, run)
    await leave(world, api.objects, run, "a", b"first")
    await world.fail(run)
    await hold(world, run)
    await leave(world, api.objects, run, "a", b"second", attempt=2)

    async def sent(**params: Any) -> bytes:
        return (await api.call("GET", f"/runs/{run}/artifacts/work/a", params=params)).content

    assert (await sent(), await sent(attempt=1)) == (b"second", b"first")


async def test_what_is_not_there_is_told(api: Api, run: UUID) -> None:
    for path in (f"{run}/artifacts/work/other", f"{run}/artifacts/other/a.csv", f"{uuid4()}/artifacts/work/a.csv"):
        assert (await api.call("GET", f"/runs/{path}")).status_code == 404
    assert (await api.call("GET", f"/runs/{run}/artifacts/work/a.csv", params={"attempt": 2})).status_code == 404
    assert (await api.call("GET", f"/runs/{uuid4()}/artifacts")).status_code == 404


@pytest.mark.parametrize("name", ["..%2F..%2Fetc", "%2e%2e", "a%00b", "a%0d%0aX-Evil:1", "%C3%A9", ".env", "a%22b"])
async def test_no_name_leads_anywhere_else(api: Api, run: UUID, name: str) -> None:
    answer = await api.call("GET", f"/runs/{run}/artifacts/work/{name}")

    assert answer.status_code in (404, 422)
    assert "x-evil" not in answer.headers


async def test_a_file_that_is_gone_from_the_store_is_told(world: World, api: Api, run: UUID) -> None:
    [row] = await world.rows("SELECT path FROM headgate.run_artifacts WHERE name = 'a.csv'")
    await api.objects.delete(row["path"])

    answer = await api.call("GET", f"/runs/{run}/artifacts/work/a.csv")

    assert (answer.status_code, answer.json()["reason"]) == (404, "ArtifactNotKept")


async def test_a_viewer_may_have_them_and_another_tenant_not(world: World, api: Api, run: UUID) -> None:
    await world.given_workspace("other")
    viewer, other = (await api.issue(role=Role.VIEWER)).text, (await api.issue("other")).text
    path = f"/runs/{run}/artifacts"

    for asked in (path, f"{path}/work/a.csv"):
        assert (await api.call("GET", asked, token=viewer)).status_code == 200
        assert (await api.call("GET", asked, token=other)).status_code == 404
        assert (await api.call("GET", asked, token=other, workspace="other")).status_code == 404


async def test_those_of_an_archived_run_are_had_as_before(world: World, api: Api, archive: Archive) -> None:
    run = await left_by_a_run(world, archive.logs, b_csv=b"3", a_csv=b"1,2\n")
    acme, listing = world.ids["acme"], archive.engine.artifacts
    before = await listing.list(acme, run)

    await archive.round(days=91)

    assert await archive.hot() == []
    assert await listing.list(acme, run) == before
    first = await listing.list(acme, run, limit=1)
    assert [item.name for item in (await listing.list(acme, run, first.next_cursor)).items] == ["b.csv"]
    assert await listing.one(acme, run, "work", "a.csv") == before.items[0]
    assert await listing.one(acme, run, "work", "c.csv") is None
    assert await archive.logs.get(before.items[0].path) == b"1,2\n"
