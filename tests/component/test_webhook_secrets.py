"""What signs deliveries: the secrets of a webhook, and GitHub's way of it."""

from __future__ import annotations

import json

import pytest

from tests.component.webhook_client import (
    GITHUB_SECRET,
    OTHER_KEY,
    OTHER_SECRET,
    SECRET,
    Sender,
    github,
    hooked,
)
from tests.component.world import World


class TestSecrets:
    async def test_may_be_several_while_one_takes_the_place_of_the_other(self, world: World, sender: Sender) -> None:
        refs = [{"name": "shop", "key": "current"}, {"name": "shop", "key": "previous"}]
        await world.given(hooked(secrets=refs))
        assert (await sender.send("msg-1", key=OTHER_KEY)).status_code == 401

        await sender.given_secret(current=OTHER_SECRET, previous=SECRET)
        assert (await sender.send("msg-2", key=OTHER_KEY)).status_code == 202
        assert (await sender.send("msg-3")).status_code == 202

        await sender.given_secret(current=OTHER_SECRET)
        assert (await sender.send("msg-4")).status_code == 401

    async def test_that_are_none_sign_nothing_and_the_webhook_says_so(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        for value in ("not whsec_", "whsec_AAAA", "short"):
            await sender.given_secret(current=value)
            assert (await sender.send(key=value.encode())).status_code == 401
            problems = (await sender.api.get("/webhooks/orders"))["problems"]
            assert problems == {"acme/nightly/paid": "current of credential shop is no secret in the format standard"}

    async def test_that_are_not_there_are_named(self, world: World, sender: Sender) -> None:
        await world.given(hooked(secrets=[{"name": "gone", "key": "current"}, {"name": "shop", "key": "gone"}]))

        assert (await sender.send()).status_code == 401
        [problem] = (await sender.api.get("/webhooks/orders"))["problems"].values()
        assert problem.startswith("there is no current of credential gone, or it cannot be decrypted; there is no gone")

    async def test_can_be_sealed_anew_at_any_time(self, world: World, sender: Sender) -> None:
        await world.given(hooked())
        await world.engine.credentials.rotate_data_key(world.ids["acme"])

        assert (await sender.send()).status_code == 202


class TestGithub:
    BODY = json.dumps({"ref": "refs/heads/main"}).encode()

    @pytest.fixture(autouse=True)
    async def given(self, world: World, sender: Sender) -> None:
        await sender.given_secret(current=GITHUB_SECRET)
        await world.given(hooked(format="github", events=["push"]))

    async def test_starts_a_run_once_for_each_delivery_id(self, world: World, sender: Sender) -> None:
        headers = github("72d3162e", "push", self.BODY, GITHUB_SECRET)

        answers = [await sender.post(self.BODY, headers) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 200]
        assert answers[0].json() == answers[1].json()
        [delivery] = await sender.deliveries()
        assert (delivery["event"], delivery["messageId"], delivery["format"]) == ("push", "72d3162e", "github")

    async def test_leaves_out_the_ping_and_other_events(self, sender: Sender) -> None:
        answer = await sender.post(self.BODY, github("1", "ping", self.BODY, GITHUB_SECRET))

        assert answer.json()["outcome"] == "filtered"

    async def test_is_no_other_format(self, sender: Sender) -> None:
        assert (await sender.send(key=GITHUB_SECRET.encode())).status_code == 401
