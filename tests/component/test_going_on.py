"""A runner that ends an attempt goes on with what follows from it, as long as nothing else is due for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.workflow_run import NodePhase
from headgate.domain.runner_task import RunnerTask
from headgate.engine.types import Effects, Outcome
from tests.builders import a_workflow
from tests.component.priced import priced
from tests.component.world import World

LEASE = timedelta(seconds=15)
DONE = Outcome(succeeded=True)
CALL = {"http": {"url": "https://example.com"}}
SCRIPT = {"script": {"language": "shell", "source": "true"}}
SECRET = {"http": {"url": "https://example.com", "headers": [{"name": "x", "secretKeyRef": {"name": "s", "key": "k"}}]}}


async def given_run(world: World, *configs: dict[str, Any], name: str = "chain") -> UUID:
    """A run of nodes ``n0``, ``n1`` and so on, one after the other."""
    workflow, before = a_workflow(name), "by-hand"
    for number, config in enumerate(configs):
        workflow = workflow.with_node(f"n{number}", config, after=[before])
        before = f"n{number}"
    await world.given(workflow)
    return await world.admit(name)


async def claimed(world: World, *kinds: str) -> RunnerTask:
    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", None, "pod-1", LEASE, kinds)
    assert task is not None
    return task


async def completed(world: World, task: RunnerTask, *kinds: str) -> tuple[RunnerTask | None, Effects]:
    return await world.engine.runner_tasks.complete(task.ref, "acme", DONE, "pod-1", LEASE, kinds)


async def rows(world: World, node: str) -> list[dict[str, Any]]:
    return await world.rows(f"SELECT holder, due_at, expires_at FROM headgate.tasks WHERE node = '{node}'")


async def test_with_its_own_next_node_without_a_message_more(world: World, sent: list[str]) -> None:
    run = await given_run(world, CALL, CALL)
    task = await claimed(world, "http")
    sent.clear()

    following, effects = await completed(world, task, "http")

    # It begins, loads, records and commits.
    assert len(sent) == 4
    assert following is not None
    assert (following.ref, following.workspace) == (world.ref(run, "n1"), "acme")
    assert following.work["http"]["url"] == "https://example.com"
    assert effects.for_runners == ()
    [_, second] = (await world.view(run)).nodes
    assert (second.phase, second.started_at) == (NodePhase.RUNNING, world.clock.now)


async def test_for_the_length_of_a_lease_and_until_its_own_timeout(world: World) -> None:
    await given_run(world, CALL, CALL)

    following, _ = await completed(world, await claimed(world, "http"), "http")

    [row] = await rows(world, "n1")
    assert row["holder"] == "pod-1"
    assert row["due_at"] == world.clock.now + LEASE
    assert following is not None
    assert row["expires_at"] == following.expires_at > world.clock.now + LEASE


async def test_until_the_end_of_the_run(world: World) -> None:
    run = await given_run(world, CALL, CALL, CALL)
    following: RunnerTask | None = await claimed(world, "http")
    seen = []
    while following is not None:
        seen.append(following.ref.node)
        following, _ = await completed(world, following, "http")

    assert seen == ["n0", "n1", "n2"]
    assert {node.phase for node in (await world.view(run)).nodes} == {NodePhase.SUCCEEDED}


async def test_after_what_was_due_before(world: World, sent: list[str]) -> None:
    run = await given_run(world, CALL, CALL)
    task = await claimed(world, "http")
    other = await given_run(world, CALL, name="other")
    sent.clear()

    following, effects = await completed(world, task, "http")

    assert following is not None
    assert following.ref == world.ref(other, "n0")
    assert len(sent) == 5
    [row] = await rows(world, "n1")
    assert row["holder"] is None
    assert effects.for_runners == ("http",)
    again, _ = await completed(world, following, "http")
    assert again is not None
    assert again.ref == world.ref(run, "n1")


async def test_beside_what_others_have_under_way(world: World) -> None:
    await given_run(world, CALL, name="other")
    await claimed(world, "http")
    run = await given_run(world, CALL, CALL)

    following, _ = await completed(world, await claimed(world, "http"), "http")

    assert following is not None
    assert following.ref == world.ref(run, "n1")


@pytest.mark.parametrize("config", [SCRIPT, SECRET], ids=["no room for its kind", "its Secrets are with another"])
async def test_not_with_what_is_not_for_it(world: World, config: dict[str, Any]) -> None:
    await given_run(world, CALL, config)

    following, effects = await completed(world, await claimed(world, "http"), "http")

    assert following is None
    [row] = await rows(world, "n1")
    assert row["holder"] is None
    assert effects.for_runners == (("script",) if config is SCRIPT else ("http",))


async def test_with_nothing_where_it_takes_up_nothing_more(world: World) -> None:
    await given_run(world, CALL, CALL)

    following, _ = await completed(world, await claimed(world, "http"))

    assert following is None
    [row] = await rows(world, "n1")
    assert row["holder"] is None


async def test_at_the_price_at_which_it_begins(world: World) -> None:
    run = await given_run(priced(world), CALL, CALL)

    following, _ = await completed(world, await claimed(world, "http"), "http")

    assert following is not None
    [price] = await world.rows(
        f"SELECT hourly_rate, price_version FROM headgate.workflow_execution_steps WHERE execution_id = '{run}'"
        " AND node = 'n1'"
    )
    assert price["hourly_rate"] > 0
    assert price["price_version"]


async def test_another_has_it_where_its_lease_runs_out(world: World) -> None:
    await given_run(world, CALL, CALL)
    await completed(world, await claimed(world, "http"), "http")
    world.clock.advance(seconds=16)

    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", None, "pod-2", LEASE, ("http",))

    assert task is not None
    assert task.ref.node == "n1"
