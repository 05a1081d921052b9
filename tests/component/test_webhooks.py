"""Webhooks from the request to the run, on real rows."""

from __future__ import annotations

import pytest

from headgate.api.workflow_run import RunPhase
from tests.component.api_client import Api
from tests.component.webhook_client import Sender, hooked
from tests.component.world import World


@pytest.fixture
async def sender(api: Api) -> Sender:
    made = Sender(api)
    await made.given_secret()
    return made


async def test_a_delivery_that_is_signed_starts_a_run(world: World, sender: Sender) -> None:
    await world.given(hooked())

    answer = await sender.send()

    assert answer.status_code == 202, answer.text
    told = answer.json()
    [run] = (await sender.api.get("/runs"))["items"]
    assert told["runs"] == [run["id"]]
    assert (run["kind"], run["phase"]) == ("webhook", RunPhase.RUNNING)
    [delivery] = await sender.deliveries()
    assert delivery["id"] == told["delivery"]
    assert (delivery["outcome"], delivery["results"][0]["runId"]) == ("accepted", run["id"])
