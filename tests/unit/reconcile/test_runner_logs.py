"""The logs of runners: kept before their Jobs go, each attempt's its own, and no loss counted twice for it."""

from __future__ import annotations

from datetime import timedelta

from headgate.domain.step_log import log_path
from headgate.domain.task import TaskRef
from tests.unit.reconcile.runner_world import World, a_runner_task, name
from tests.workload_builders import RUN_ID, WORKSPACE_ID


async def test_the_job_of_a_runner_stays_until_the_log_of_each_attempt_is_kept() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "hello\n"), ("quiet", ""))
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    await world.reconcile()
    assert not world.is_let_go()

    told = await world.keep_log()

    call, quiet = (TaskRef(WORKSPACE_ID, RUN_ID, node, 1) for node in ("call", "quiet"))
    assert told == [("log", call, log_path(call), 6, False), ("log", quiet, None, 0, False)]
    assert await world.objects.get(log_path(call)) == b"hello\n"
    assert world.is_let_go()


async def test_the_next_runner_does_not_wait_for_the_log_of_the_one_before() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    await world.reconcile()

    await world.look(a_runner_task())

    assert world.made == [name(1), name(2)]
    assert not world.is_let_go()


async def test_a_loss_is_counted_once_whoever_finds_the_job_before_its_log_is_kept() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "so far\n"))
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    assert await world.reconcile() == [("release", RUN_ID, f"{name(1)}-")]
    world = world.restarted()

    assert await world.reconcile() == []
    assert len(await world.keep_log()) == 1
    assert world.is_let_go()


async def test_an_attempt_that_two_runners_executed_has_the_log_of_the_last_in_whatever_order_they_are_found() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "first\n"))
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    await world.reconcile()
    await world.look(a_runner_task())
    world.printed(2, ("call", "second\n"))
    world.pod(2, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    world = world.restarted()

    await world.reconcile(2)
    assert await world.keep_log(2) == []
    await world.reconcile(1)
    assert await world.keep_log(2) == []
    await world.keep_log(1)
    await world.keep_log(2)

    assert await world.objects.get(log_path(a_runner_task().ref)) == b"second\n"
    assert world.is_let_go(2)


async def test_the_log_of_a_runner_that_is_ended_is_listened_to() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "hello\n"))
    world.pod(1, "Running", running={"startedAt": "2026-03-01T12:00:03Z"})
    await world.look()
    world.now += timedelta(seconds=66)
    await world.look()

    assert [ref.node for _, ref, *_ in await world.keep_log()] == ["call"]


async def test_what_a_runner_says_of_nodes_that_are_no_runner_s_is_left_out() -> None:
    world = World()
    await world.look(a_runner_task())
    world.printed(1, ("call", "hello\n"), ("container", "no\n"))
    world.engine.nodes = frozenset(["call"])
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    await world.reconcile()

    assert [ref.node for _, ref, *_ in await world.keep_log()] == ["call"]
