"""Files that attempts leave: kept once, counted to the byte, given back, and refused with what to do about it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable
from uuid import UUID

import httpx
import pytest

from headgate.api.workflow_run import NodePhase
from headgate.domain.artifacts import MOST_FILES
from headgate.objects.object_store import SENDERS
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.kept import assert_exact, assert_pot_exact
from tests.component.leaving import Leaver, a_leaver, assert_all_there, lying, noted, scripted
from tests.component.world import World


@pytest.fixture
async def leaver(api: Api) -> Leaver:
    return await a_leaver(api)


async def test_what_is_sent_lies_there_and_is_noted_and_counted(world: World, api: Api, leaver: Leaver) -> None:
    await leaver.left(report_csv=b"a,b\n1,2\n", empty=b"")

    empty, report = await noted(world)
    assert (report["name"], report["bytes"], report["content_type"]) == ("report.csv", 8, "text/csv")
    assert report["sha256"] == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert (empty["bytes"], empty["content_type"]) == (0, "application/octet-stream")
    await assert_all_there(world, api.objects)
    assert await assert_exact(world) == {"artifacts": 8}


async def test_it_lies_beside_the_attempts_log_by_workspace_month_and_run(world: World, leaver: Leaver) -> None:
    await leaver.left(a=b"x")

    [row] = await noted(world)
    assert row["path"].startswith(f"{world.ids['acme']}/2026-03/{leaver.run}/work.1.artifacts/")


async def test_what_is_sent_again_takes_the_place_of_what_was(world: World, api: Api, leaver: Leaver) -> None:
    await leaver.left(a=b"first, and longer", b=b"other")
    assert (await leaver.send("a", b"second")).status_code == 204
    assert (await leaver.send("a", b"second")).status_code == 204

    assert len(await noted(world)) == 2
    await assert_all_there(world, api.objects)
    assert await assert_exact(world) == {"artifacts": 11}


async def test_two_that_come_at_once_under_one_name_leave_one_file(world: World, api: Api, leaver: Leaver) -> None:
    answers = await asyncio.gather(leaver.send("a", b"x" * 70_000), leaver.send("a", b"y" * 9))

    assert [answer.status_code for answer in answers] == [204, 204]
    await assert_all_there(world, api.objects)
    assert sum((await assert_exact(world)).values()) in (70_000, 9)


async def test_an_execution_that_begins_anew_forgets_what_the_one_before_left(
    world: World, api: Api, leaver: Leaver
) -> None:
    await leaver.left(a=b"first", b=b"second")
    world.clock.advance(seconds=16)
    again = Leaver(api, leaver.run, "token-2")
    await again.claim()

    await again.left(b=b"third")

    assert [row["name"] for row in await noted(world)] == ["b"]
    await assert_all_there(world, api.objects)
    assert await assert_exact(world) == {"artifacts": 5}


async def test_they_stay_with_their_attempt_and_the_next_one_has_its_own(world: World, api: Api) -> None:
    leaver = await a_leaver(api, scripted(retry={"limit": 1, "initialDelay": "0s"}))
    await leaver.left(a=b"one")
    following = await leaver.complete(succeeded=False, reason="ExitCode")
    assert following.json()["task"]["attempt"] == 2

    assert (await leaver.announce(3, attempt=2)).status_code == 204
    assert (await leaver.send("a", b"two", attempt=2)).status_code == 204

    assert [(row["attempt"], row["bytes"]) for row in await noted(world)] == [(1, 3), (2, 3)]
    assert await assert_exact(world) == {"artifacts": 6}


class TestFull:
    async def test_what_does_not_fit_is_refused_before_it_is_sent_and_says_how_much_is_left(
        self, world: World, leaver: Leaver
    ) -> None:
        await world.given_workspace(max_storage_mb=1)

        answer = await leaver.announce(600_000, 600_000)

        assert (answer.status_code, answer.json()["reason"]) == (413, "StorageLimit")
        for words in ("1200000 bytes", "1000000 are left", "maxStorageMB", "$HEADGATE_ARTIFACTS"):
            assert words in answer.json()["detail"]

    async def test_one_that_finds_no_room_when_it_is_there_does_not_stay(
        self, world: World, api: Api, leaver: Leaver
    ) -> None:
        await world.given_workspace(max_storage_mb=1)
        assert (await leaver.announce(600_000)).status_code == 204
        assert (await leaver.send("a", b"x" * 600_000)).status_code == 204

        refused = await leaver.send("b", b"x" * 400_001)
        fits = await leaver.send("c", b"x" * 400_000)

        assert (refused.status_code, refused.json()["reason"], fits.status_code) == (413, "StorageLimit", 204)
        assert "the artifact b takes 400001 bytes, and 400000 are left" in refused.json()["detail"]
        await assert_all_there(world, api.objects)
        assert await assert_exact(world) == {"artifacts": 1_000_000}

    async def test_room_that_is_gone_by_then_is_looked_at_again_as_it_is_noted(
        self, world: World, api: Api, leaver: Leaver
    ) -> None:
        await world.given_workspace(max_storage_mb=1)

        answers = await asyncio.gather(leaver.send("a", b"x" * 600_000), leaver.send("b", b"x" * 600_000))

        assert sorted(answer.status_code for answer in answers) == [204, 413]
        await assert_all_there(world, api.objects)
        assert await assert_exact(world) == {"artifacts": 600_000}

    async def test_a_smaller_one_in_the_place_of_another_fits_however_full_it_is(
        self, world: World, api: Api, leaver: Leaver
    ) -> None:
        await leaver.left(a=b"x" * 500)
        await world.given_workspace(max_storage_mb=0)

        settled = await world.engine.left_files.announce(world.ref(leaver.run, "work"), holder(leaver), [])

        assert (len(settled.gone), settled.reason) == (1, "")
        assert await assert_exact(world) == {}

    async def test_a_pot_counts_what_each_of_its_workspaces_left(self, world: World, leaver: Leaver) -> None:
        await world.given_workspace(pot="team")

        await leaver.left(a=b"x" * 500)

        await assert_pot_exact(world, "team", "acme")

    async def test_an_attempt_leaves_so_many_files_at_most(self, world: World, api: Api, leaver: Leaver) -> None:
        for number in range(MOST_FILES):
            assert (await leaver.send(f"f{number}", b"x")).status_code == 204

        one_more = await leaver.send("more", b"x")

        assert (one_more.status_code, one_more.json()["reason"]) == (422, "InvalidArtifact")
        assert (await leaver.send("f0", b"other")).status_code == 204
        assert (await leaver.announce(*[1] * (MOST_FILES + 1))).status_code == 422
        await assert_all_there(world, api.objects)


class TestWhose:
    async def test_who_lost_the_attempt_leaves_nothing(self, world: World, api: Api, leaver: Leaver) -> None:
        world.clock.advance(seconds=16)
        await Leaver(api, leaver.run, "token-2").claim()

        assert [(await leaver.announce(1)).status_code, (await leaver.send("a", b"x")).status_code] == [409, 409]
        assert (await noted(world), await lying(api.objects)) == ([], {})

    async def test_one_that_loses_it_meanwhile_leaves_nothing_either(
        self, world: World, api: Api, leaver: Leaver
    ) -> None:
        async def slowly() -> AsyncIterator[bytes]:
            yield b"x"
            world.clock.advance(seconds=16)
            await Leaver(api, leaver.run, "token-2").claim()
            yield b"y"

        assert (await leaver.send("a", slowly(), length=2)).status_code == 409
        assert (await noted(world), await lying(api.objects)) == ([], {})

    async def test_an_attempt_that_has_ended_leaves_nothing_more(self, world: World, leaver: Leaver) -> None:
        await leaver.complete()

        assert (await leaver.send("a", b"x")).status_code == 409
        assert (await world.view(leaver.run)).nodes[0].phase is NodePhase.SUCCEEDED

    async def test_nodes_that_are_no_scripts_leave_none(self, api: Api) -> None:
        call = {"http": {"method": "GET", "url": "http://example.com"}}
        leaver = await a_leaver(api, a_workflow().with_node("work", call))

        assert [(await leaver.announce(1)).status_code, (await leaver.send("a", b"x")).status_code] == [409, 409]

    async def test_a_runner_of_another_run_is_refused(self, world: World, api: Api, leaver: Leaver) -> None:
        other = Leaver(api, await world.admit(), "token-2")
        await other.claim()
        stolen = str(leaver.run)

        assert (await other.send("a", b"x", runId=stolen)).status_code == 403
        assert (await other.announce(1, runId=stolen)).status_code == 403

    async def test_a_runner_of_another_workspace_finds_no_such_attempt(
        self, world: World, api: Api, leaver: Leaver
    ) -> None:
        await world.given_workspace("evil")
        api.server.namespaces["evil"] = "evil"
        api.server.knows("evil", leaver.run, namespace="evil")
        evil = Leaver(api, leaver.run, "evil")

        assert [(await evil.announce(1)).status_code, (await evil.send("a", b"x")).status_code] == [409, 409]
        assert (await evil.send("a", b"x", workspaceId=str(UUID(int=1)))).status_code == 422
        assert (await noted(world), await lying(api.objects)) == ([], {})

    async def test_without_a_good_token_nothing_is_read(self, api: Api, leaver: Leaver) -> None:
        read: list[int] = []

        assert (await Leaver(api, leaver.run, "unknown").send("a", telling(read), length=3)).status_code == 401
        assert read == []


class TestBounded:
    @pytest.mark.parametrize(
        "name", ["../x", "a/b", "", ".", "..", ".hidden", "-rf", "a\x00b", "é", "a b", "a\n", "x" * 129, 'a"b', "a;b"]
    )
    async def test_no_name_leads_anywhere(self, world: World, api: Api, leaver: Leaver, name: str) -> None:
        assert (await leaver.send(name, b"x")).status_code == 422
        assert (await noted(world), await lying(api.objects)) == ([], {})

    @pytest.mark.parametrize("length", [1, 5, 2**40])
    async def test_a_length_that_lies_leaves_nothing(self, world: World, api: Api, leaver: Leaver, length: int) -> None:
        async def three() -> AsyncIterator[bytes]:
            yield b"xyz"

        answer = await leaver.send("a", three(), length=length)

        assert answer.status_code == (413 if length == 2**40 else 408)
        assert (await noted(world), await lying(api.objects)) == ([], {})
        assert await assert_exact(world) == {}

    async def test_one_without_a_length_is_not_read(self, api: Api, leaver: Leaver) -> None:
        read: list[int] = []
        said = json.dumps({**leaver.attempt(), "name": "a"})
        headers = {"Authorization": "Bearer token-1", "Headgate-Artifact": said}

        answer = await api.http.put("/runner/v1/artifact", content=telling(read), headers=headers)

        assert (answer.status_code, read) == (411, [])

    async def test_one_that_is_too_large_is_not_read(self, leaver: Leaver) -> None:
        read: list[int] = []

        answer = await leaver.send("a", telling(read), length=64 * 2**20 + 1)
        announced = await leaver.announce(64 * 2**20 + 1)

        for refused in (answer, announced):
            assert (refused.status_code, refused.json()["reason"]) == (413, "ArtifactTooLarge")
        assert read == []

    async def test_one_that_never_ends_is_given_up(
        self, world: World, api: Api, leaver: Leaver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("headgate.gateway.artifact_uploads.sending_seconds", lambda _: 0.05)

        async def never() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.Event().wait()

        assert (await leaver.send("a", never(), length=2)).status_code == 408
        assert (await noted(world), await lying(api.objects)) == ([], {})

    async def test_a_workspace_has_no_more_on_their_way_than_leave_room_for_others(
        self, api: Api, leaver: Leaver
    ) -> None:
        go_on, begun = asyncio.Event(), asyncio.Semaphore(0)

        async def waiting() -> AsyncIterator[bytes]:
            begun.release()
            await go_on.wait()
            yield b"x"

        sending = [asyncio.create_task(leaver.send(f"f{n}", waiting(), length=1)) for n in range(SENDERS // 2)]
        for _ in sending:
            await begun.acquire()
        answer = await leaver.send("more", b"x")
        go_on.set()

        assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
        assert [(await sent).status_code for sent in sending] == [204] * len(sending)
        assert (await leaver.send("more", b"x")).status_code == 204
        assert len(await lying(api.objects)) == len(sending) + 1

    async def test_a_large_one_passes_through_in_pieces(self, world: World, api: Api, leaver: Leaver) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for number in range(200):
                yield bytes([number]) * 65_536

        assert (await leaver.send("a", parts(), length=200 * 65_536)).status_code == 204

        await assert_all_there(world, api.objects)


async def telling(read: list[int]) -> AsyncIterator[bytes]:
    """A body that tells that it is read."""
    read.append(1)
    yield b"xyz"


def holder(leaver: Leaver) -> str:
    """What the queue calls it."""
    [extra] = [user["user"]["extra"] for token, user in leaver.api.server.users.items() if token == leaver.token]
    pod, uid = (extra[f"authentication.kubernetes.io/pod-{name}"][0] for name in ("name", "uid"))
    return f"{pod}/{uid}"


async def test_what_it_costs_in_messages_to_postgres(world: World, api: Api, leaver: Leaver, sent: list[str]) -> None:
    """docs/design/0037 gives the same numbers."""
    await leaver.announce()

    async def counted(asked: Awaitable[httpx.Response]) -> int:
        sent.clear()
        answer = await asked
        assert answer.is_success, answer.text
        return len(sent)

    announcing, sending = await counted(leaver.announce(1, 2)), await counted(leaver.send("a", b"x"))
    assert (announcing, sending) == (5, 8)
