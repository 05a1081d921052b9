"""API keys on real rows: given out, used, ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from headgate.api.members import Role
from headgate.domain.api_keys import SCOPES, Scope, new_key, parse
from headgate.engine.api_keys import MOST_KEYS, Issued, NewKey
from headgate.engine.engine import Engine
from headgate.store.database import Database
from headgate.store.errors import DatabaseUnavailable
from tests.component.world import World


async def given_key(world: World, workspace: str = "acme", role: Role = Role.EDITOR, **members: Any) -> Issued:
    return await world.engine.api_keys.issue(world.ids[workspace], NewKey("ci", role, "alice", **members))


async def row_of(world: World, issued: Issued) -> dict[str, Any]:
    [row] = await world.rows("SELECT * FROM headgate.api_keys WHERE id = %s", issued.view.id)
    return row


class TestIssuing:
    async def test_a_key_tells_whose_it_is_and_what_it_allows(self, world: World) -> None:
        issued = await given_key(world, scopes=frozenset([Scope.RUNS_WRITE, Scope.KEYS_MANAGE]))

        identity = await world.engine.api_keys.authenticate(issued.text)

        assert identity is not None
        assert (identity.workspace_id, identity.workspace, identity.name) == (world.ids["acme"], "acme", "ci")
        assert identity.role is Role.EDITOR
        assert identity.scopes == {Scope.RUNS_WRITE}, "an editor's key makes no keys"

    async def test_without_scopes_it_allows_what_its_role_does(self, world: World) -> None:
        issued = await given_key(world, role=Role.VIEWER)

        assert issued.view.scopes == SCOPES[Role.VIEWER]
        assert (issued.view.created_by, issued.view.created_at) == ("alice", world.clock.now)

    async def test_neither_the_key_nor_its_secret_is_kept_or_printed(self, world: World) -> None:
        issued = await given_key(world)
        row = await row_of(world, issued)

        assert parse(issued.text).secret not in b"".join(v for v in row.values() if isinstance(v, bytes))
        assert issued.text.split("_")[2] not in f"{row} {issued!r} {issued}"

    async def test_no_two_are_the_same(self, world: World) -> None:
        assert len({(await given_key(world)).text for _ in range(20)}) == 20

    async def test_one_that_would_have_expired_or_may_do_nothing_is_refused(self, world: World) -> None:
        with pytest.raises(ValueError, match="in the future"):
            await given_key(world, expires_at=world.clock.now)
        with pytest.raises(ValueError, match="none of these scopes"):
            await given_key(world, role=Role.VIEWER, scopes=frozenset([Scope.RUNS_WRITE]))

    async def test_there_are_so_many_good_ones_at_most_however_many_ask_at_once(self, world: World) -> None:
        await world.rows(
            "INSERT INTO headgate.api_keys SELECT %s, gen_random_uuid(), 'x', 'viewer', '{runs:read}', sha256('x'), %s,"
            " 'alice', NULL FROM generate_series(1, %s) RETURNING 1",
            world.ids["acme"],
            world.clock.now,
            MOST_KEYS - 3,
        )

        answers = await asyncio.gather(*(given_key(world) for _ in range(8)), return_exceptions=True)

        made = [answer for answer in answers if isinstance(answer, Issued)]
        assert len(made) == 3
        await world.engine.api_keys.revoke(world.ids["acme"], made[0].view.id, "alice")
        assert (await given_key(world)).view.name == "ci", "one that was revoked does not count"


class TestAuthenticating:
    async def test_an_expired_one_is_not_good_from_that_moment_on(self, world: World) -> None:
        issued = await given_key(world, expires_at=world.clock.now + timedelta(minutes=5))

        world.clock.advance(minutes=4, seconds=59)
        assert await world.engine.api_keys.authenticate(issued.text) is not None
        world.clock.advance(seconds=1)
        assert await world.engine.api_keys.authenticate(issued.text) is None

    async def test_a_revoked_one_is_good_nowhere_at_once_and_for_good(
        self, world: World, replicas: list[Engine]
    ) -> None:
        issued = await given_key(world)
        await world.engine.api_keys.authenticate(issued.text)

        first = await world.engine.api_keys.revoke(world.ids["acme"], issued.view.id, "bob")
        world.clock.advance(hours=1)
        again = await world.engine.api_keys.revoke(world.ids["acme"], issued.view.id, "carol")

        assert [await replica.api_keys.authenticate(issued.text) for replica in replicas] == [None, None]
        assert first == again
        assert first is not None
        assert first.revoked_by == "bob"

    async def test_one_with_another_secret_or_of_another_workspace_is_not_good(self, world: World) -> None:
        await world.given_workspace("other")
        key = parse((await given_key(world)).text)

        for forged in (
            new_key(key.workspace_id, key.id, bytes(20)),
            new_key(world.ids["other"], key.id, key.secret),
            new_key(uuid4(), key.id, key.secret),
            new_key(key.workspace_id, uuid4(), key.secret),
        ):
            assert await world.engine.api_keys.authenticate(forged.text) is None

    async def test_it_ends_with_its_workspace(self, world: World) -> None:
        issued = await given_key(world)

        await world.engine.workspaces.retire("acme")
        await world.given_workspace("acme")

        assert await world.engine.api_keys.authenticate(issued.text) is None

    async def test_what_is_no_key_costs_no_query(self, world: World) -> None:
        text = (await given_key(world)).text
        nobody = Database("postgresql://nobody@127.0.0.1:1/nothing")
        engine = Engine(nobody, world.expressions, clock=world.clock)

        for mistyped in ("", "hg_", "eyJhbGciOi", f"{text[:-1]}!", text.upper()):
            assert await engine.api_keys.authenticate(mistyped) is None
        with pytest.raises(DatabaseUnavailable):
            await engine.api_keys.authenticate(text)

    async def test_its_last_use_is_written_once_a_minute_at_most(self, world: World, replicas: list[Engine]) -> None:
        issued = await given_key(world)
        first = world.clock.now
        await asyncio.gather(*(replica.api_keys.authenticate(issued.text) for replica in replicas * 3))
        assert (await row_of(world, issued))["last_used_at"] == first

        world.clock.advance(seconds=59)
        await world.engine.api_keys.authenticate(issued.text)
        assert (await row_of(world, issued))["last_used_at"] == first
        world.clock.advance(seconds=1)
        await world.engine.api_keys.authenticate(issued.text)
        assert (await row_of(world, issued))["last_used_at"] == first + timedelta(minutes=1)

    async def test_one_that_is_not_good_is_not_used(self, world: World) -> None:
        issued = await given_key(world)
        await world.engine.api_keys.revoke(world.ids["acme"], issued.view.id, "alice")
        await world.engine.api_keys.authenticate(issued.text)

        assert (await row_of(world, issued))["last_used_at"] is None


class TestListing:
    async def test_keys_are_listed_newest_first_over_pages(self, world: World) -> None:
        made: list[UUID] = []
        for _ in range(5):
            world.clock.advance(seconds=1)
            made.append((await given_key(world)).view.id)
        await world.given_workspace("other")
        await given_key(world, "other")

        found: list[UUID] = []
        cursor: str | None = None
        while True:
            page = await world.engine.api_keys.list(world.ids["acme"], cursor, 2)
            found += [key.id for key in page.keys]
            if (cursor := page.next_cursor) is None:
                break

        assert found == made[::-1]

    async def test_a_list_refuses_what_is_no_cursor_and_no_limit(self, world: World) -> None:
        with pytest.raises(ValueError, match="cursor"):
            await world.engine.api_keys.list(world.ids["acme"], "x")
        for limit in (0, 501):
            with pytest.raises(ValueError, match="limit"):
                await world.engine.api_keys.list(world.ids["acme"], None, limit)

    async def test_one_of_another_workspace_is_not_revoked(self, world: World) -> None:
        other = await world.given_workspace("other")
        issued = await given_key(world)

        assert await world.engine.api_keys.revoke(other, issued.view.id, "mallory") is None
        assert await world.engine.api_keys.authenticate(issued.text) is not None
