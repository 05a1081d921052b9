"""Attempts for runners: claimed for the length of a lease, completed once, and never by one who lost it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.container import SecretKeyRef
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.runner_task import RunnerTask
from headgate.engine.types import Effects, LeaseLost, Outcome
from tests.builders import a_workflow
from tests.component.world import World

LEASE = timedelta(seconds=15)
DONE = Outcome(succeeded=True)


def script(source: str = "true", **members: Any) -> dict[str, Any]:
    return {"script": {"language": "shell", "source": source, **members}}


async def given_run(world: World, *nodes: str, **members: Any) -> UUID:
    """A run of a workflow with these script nodes, one after the other."""
    workflow, before = a_workflow(), "by-hand"
    for node in nodes:
        workflow = workflow.with_node(node, script(), after=[before], **members)
        before = node
    await world.given(workflow)
    return await world.admit()


async def claimed(
    world: World, run: UUID | None = None, holder: str = "pod-1", namespace: str = "acme"
) -> RunnerTask | None:
    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], namespace, run, holder, LEASE)
    return task


async def completed(
    world: World, task: RunnerTask, outcome: Outcome = DONE, holder: str = "pod-1"
) -> tuple[RunnerTask | None, Effects]:
    return await world.engine.runner_tasks.complete(task.ref, "acme", outcome, holder, LEASE)


async def test_a_claimed_attempt_runs_and_carries_its_work(world: World) -> None:
    run = await given_run(world, "work", timeout="60s")

    task = await claimed(world, run)

    assert task is not None
    assert (task.ref, task.workspace, task.namespace) == (world.ref(run, "work"), "acme", "acme")
    assert task.work["script"]["source"] == "true"
    assert task.expires_at == world.clock.now + timedelta(seconds=60)
    [node] = (await world.view(run)).nodes
    assert (node.phase, node.started_at) == (NodePhase.RUNNING, world.clock.now)


@pytest.mark.parametrize("holder", [None, "a pool's"])
async def test_an_attempt_of_a_run_that_began_days_ago_runs_too(world: World, holder: str | None) -> None:
    run = await given_run(world, "first", "second")
    task = await claimed(world, run)
    assert task is not None
    world.clock.advance(days=3)
    await world.engine.complete(task.ref, DONE)

    following = await claimed(world, None if holder else run)

    assert following is not None
    [_, second] = (await world.view(run)).nodes
    assert (second.phase, second.started_at) == (NodePhase.RUNNING, world.clock.now)


async def test_no_two_runners_get_the_same_attempt(world: World) -> None:
    for _ in range(10):
        await given_run(world, "work")
    engines = [world.another_engine() for _ in range(5)]

    claims = await asyncio.gather(
        *(e.runner_tasks.claim(world.ids["acme"], "acme", None, f"pod-{i}", LEASE) for i, e in enumerate(engines * 3))
    )

    refs = [task.ref for task, _ in claims if task is not None]
    rest = 0
    while await claimed(world) is not None:
        rest += 1
    assert len(refs) == len(set(refs))
    assert len(refs) + rest == 10


async def test_a_runner_gets_nothing_of_another_run_namespace_or_workspace(world: World) -> None:
    run, other = await given_run(world, "work"), await given_run(world, "work")
    stranger = await world.given_workspace("stranger")

    assert await claimed(world, run, namespace="acme-two") is None
    assert await world.engine.runner_tasks.claim(stranger, "acme", run, "pod-9", LEASE) == (None, Effects())
    first = await claimed(world, other)
    assert first is not None
    assert first.ref.run_id == other
    assert await claimed(world, other) is None


async def test_the_answer_to_a_completion_is_the_next_attempt_of_the_run(world: World) -> None:
    run = await given_run(world, "one", "two")
    task = await claimed(world, run)
    assert task is not None

    following, effects = await completed(world, task, Outcome(succeeded=True, output={"rows": 3}))

    assert following is not None
    assert following.ref == world.ref(run, "two")
    assert effects.runs == {run}
    nothing, effects = await completed(world, following)
    assert nothing is None
    assert [ended.run_id for ended in effects.finished] == [run]
    view = await world.view(run)
    assert (view.phase, view.nodes[0].output) == (RunPhase.SUCCEEDED, {"rows": 3})


async def test_a_lease_that_ran_out_makes_the_same_attempt_claimable_again(world: World) -> None:
    run = await given_run(world, "work")
    first = await claimed(world, run, "pod-1")
    assert first is not None
    world.clock.advance(seconds=14)
    assert await claimed(world, run, "pod-2") is None
    world.clock.advance(seconds=1)

    assert await claimed(world, run, "pod-2") == first


async def test_a_heartbeat_keeps_the_lease(world: World) -> None:
    run = await given_run(world, "work")
    task = await claimed(world, run)
    assert task is not None
    world.clock.advance(seconds=10)

    await world.engine.runner_tasks.heartbeat(task.ref, "pod-1", LEASE)

    world.clock.advance(seconds=14)
    assert await claimed(world, run, "pod-2") is None


async def test_whoever_lost_the_lease_can_neither_keep_nor_complete(world: World) -> None:
    run = await given_run(world, "work")
    task = await claimed(world, run, "pod-1")
    assert task is not None
    world.clock.advance(seconds=15)
    assert await claimed(world, run, "pod-2") == task

    with pytest.raises(LeaseLost, match="attempt 1 of node work is not yours any more"):
        await world.engine.runner_tasks.heartbeat(task.ref, "pod-1", LEASE)
    with pytest.raises(LeaseLost):
        await completed(world, task, Outcome(False, reason="ExitCode"), holder="pod-1")
    assert await world.phases(run) == {"work": NodePhase.RUNNING}

    await completed(world, task, holder="pod-2")
    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_an_end_is_recorded_once(world: World) -> None:
    run = await given_run(world, "work")
    task = await claimed(world, run)
    assert task is not None
    await completed(world, task)

    with pytest.raises(LeaseLost):
        await completed(world, task, Outcome(False, reason="ExitCode"))

    assert await world.phase(run) is RunPhase.SUCCEEDED


async def test_an_attempt_of_a_cancelled_run_is_given_up(world: World) -> None:
    run = await given_run(world, "work")
    task = await claimed(world, run)
    assert task is not None
    await world.engine.control.cancel(world.ids["acme"], run, "changed my mind")

    with pytest.raises(LeaseLost):
        await world.engine.runner_tasks.heartbeat(task.ref, "pod-1", LEASE)


async def test_an_attempt_whose_timeout_has_passed_is_neither_claimed_nor_kept(world: World) -> None:
    run = await given_run(world, "work", timeout="20s")
    task = await claimed(world, run)
    assert task is not None
    world.clock.advance(seconds=20)

    assert await claimed(world, run, "pod-2") is None
    with pytest.raises(LeaseLost):
        await world.engine.runner_tasks.heartbeat(task.ref, "pod-1", LEASE)


async def test_whoever_has_an_attempt_of_a_run_that_is_to_end_hears_of_it_and_keeps_it_until_it_has_ended(
    world: World,
) -> None:
    workflow = (
        a_workflow()
        .with_node("held", script(), retry={"limit": 3})
        .with_node("waits", script())
        .with_node("clean", script(), after=["held"], final=True)
    )
    await world.given(workflow)
    run = await world.admit()
    task = await claimed(world, run)
    assert task is not None
    assert not await world.engine.runner_tasks.heartbeat(task.ref, "pod-1", LEASE)

    await world.engine.control.stop(world.ids["acme"], run, "cancelled by spec.cancel")

    assert await world.engine.runner_tasks.heartbeat(task.ref, "pod-1", LEASE)
    assert await world.phases(run) == {
        "held": NodePhase.RUNNING,
        "waits": NodePhase.CANCELLED,
        "clean": NodePhase.PENDING,
    }
    following, _ = await completed(world, task, Outcome(False, reason="ExitCode"))
    assert (await world.phases(run))["held"] is NodePhase.CANCELLED
    assert following is not None
    assert following.ref.node == "clean"
    await completed(world, following)
    assert await world.phase(run) is RunPhase.CANCELLED


async def test_what_succeeds_although_it_is_to_end_has_succeeded(world: World) -> None:
    run = await given_run(world, "work")
    task = await claimed(world, run)
    assert task is not None
    await world.engine.control.stop(world.ids["acme"], run, "cancelled by spec.cancel")

    await completed(world, task, Outcome(succeeded=True, output=7))

    assert await world.phases(run) == {"work": NodePhase.SUCCEEDED}
    assert await world.phase(run) is RunPhase.CANCELLED


async def test_what_is_to_end_is_nobody_else_s_to_begin(world: World) -> None:
    run = await given_run(world, "work")
    await claimed(world, run, "nightly-runner-1-abcde/uid")
    await world.engine.control.stop(world.ids["acme"], run, "cancelled by spec.cancel")
    world.clock.advance(seconds=16)
    assert await claimed(world, run, "pod-2") is None

    await world.engine.runner_tasks.release(world.ids["acme"], run, "nightly-runner-1-")

    assert await claimed(world, run, "pod-2") is None
    [task] = await world.engine.runner_tasks.open()
    assert (task.holder, task.stopping) == (None, True)


async def test_the_nodes_that_runners_execute_are_known(world: World) -> None:
    workflow = (
        a_workflow()
        .with_node("container")
        .with_node("script", script())
        .with_node("call", {"http": {"url": "https://x.io"}})
    )
    await world.given(workflow)
    run = await world.admit()

    assert await world.engine.runner_tasks.nodes(world.ids["acme"], run) == {"script", "call"}


async def test_the_timeout_of_a_repeated_attempt_begins_with_its_delay_over(world: World) -> None:
    run = await given_run(world, "work", timeout="60s", retry={"limit": 1, "initialDelay": "30s"})
    task = await claimed(world, run)
    assert task is not None
    nothing, _ = await completed(world, task, Outcome(False, reason="ExitCode"))
    assert nothing is None
    world.clock.advance(seconds=30)

    again = await claimed(world, run)

    assert again is not None
    assert (again.ref.attempt, again.expires_at) == (2, world.clock.now + timedelta(seconds=60))


async def test_a_pool_gives_up_what_three_of_its_runners_did_not_end(world: World) -> None:
    run = await given_run(world, "work")
    for holder in ("pod-1", "pod-2", "pod-3"):
        task = await claimed(world, holder=holder)
        assert task is not None
        world.clock.advance(seconds=15)

    assert await claimed(world, holder="pod-4") is None
    assert await claimed(world, run, "of-the-run") is not None


async def test_what_is_given_back_is_no_loss_and_claimable_at_once(world: World) -> None:
    await given_run(world, "work")
    task = await claimed(world)
    assert task is not None
    with pytest.raises(LeaseLost):
        await world.engine.runner_tasks.give_back(task.ref, "pod-2")

    await world.engine.runner_tasks.give_back(task.ref, "pod-1")

    [open_task] = await world.engine.runner_tasks.open()
    assert (open_task.holder, open_task.losses) == (None, 0)
    assert await claimed(world, holder="pod-2") == task


async def test_what_a_lost_runner_held_is_claimable_at_once_and_counted(world: World) -> None:
    workflow = a_workflow().with_node("held", script()).with_node("waits", script())
    await world.given(workflow)
    run = await world.admit()
    assert await claimed(world, run, "nightly-runner-1-abcde/uid") is not None

    assert await world.engine.runner_tasks.release(world.ids["acme"], run, "nightly-runner-2-") == 1
    assert await world.engine.runner_tasks.release(world.ids["acme"], run, "nightly-runner-1-") == 1

    losses = {task.ref.node: (task.holder, task.losses) for task in await world.engine.runner_tasks.open()}
    assert losses == {"held": (None, 1), "waits": (None, 1)}
    assert await claimed(world, run) is not None


async def test_the_secrets_that_any_node_of_the_version_names_are_known(world: World) -> None:
    token, dsn = {"name": "api", "key": "token"}, {"name": "db", "key": "dsn"}
    workflow = (
        a_workflow()
        .with_node("call", {"http": {"url": "https://x.io", "headers": [{"name": "X", "secretKeyRef": token}]}})
        .with_node("ask", {"sql": {"connection": dsn, "query": "SELECT 1"}})
        .with_node("again", {"sql": {"connection": dsn, "query": "SELECT 2"}})
    )
    await world.given(workflow)
    run = await world.admit()

    found = await world.engine.runner_tasks.secrets(world.ids["acme"], run)

    assert found == (SecretKeyRef(name="api", key="token"), SecretKeyRef(name="db", key="dsn"))
