"""A runner for every run that has work for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from headgate.cluster.errors import ApiError
from headgate.cluster.resources import JOBS
from headgate.engine.types import Effects
from headgate.reconcile.keys import Key, Topic
from tests.unit.reconcile.runner_world import NOON, World, a_runner_task, name
from tests.workload_builders import RUN_ID


async def test_a_run_with_work_gets_one_runner() -> None:
    world = World()

    await world.look(a_runner_task("one"), a_runner_task("two"))
    await world.look(a_runner_task("one", holder="pod/uid"), a_runner_task("two"))

    assert world.made == [name(1)]


async def test_work_that_is_not_due_yet_gets_none() -> None:
    world = World()

    await world.look(a_runner_task(due_at=NOON + timedelta(seconds=30)))

    assert world.made == []


async def test_a_job_that_exists_already_is_taken_for_the_run_s() -> None:
    world = World()
    other = World()
    await other.look(a_runner_task())
    world.kube.put(JOBS, other.kube.objects[JOBS.key(name(1), "acme")])

    await world.look(a_runner_task())
    await world.look(a_runner_task())

    assert world.made == [name(1)]
    assert world.jobs.alive(RUN_ID)


async def test_a_runner_that_ended_well_is_let_go_and_its_successor_has_the_next_number() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})

    told = await world.reconcile()
    await world.keep_log()
    await world.look(a_runner_task("later"))

    assert told == []
    assert world.kube.objects[JOBS.key(name(1), "acme")]["spec"]["ttlSecondsAfterFinished"] == 60
    assert world.made == [name(1), name(2)]


async def test_what_a_dead_runner_held_is_released_before_its_job_is_let_go() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})

    assert await world.reconcile() == [("release", RUN_ID, f"{name(1)}-")]
    assert await world.reconcile() == []


async def test_a_deleted_runner_releases_what_it_held() -> None:
    world = World()
    await world.look(a_runner_task())
    gone = world.kube.vanish(JOBS, name(1), "acme")

    await world.jobs.deleted(gone)

    assert world.engine.told == [("release", RUN_ID, f"{name(1)}-")]


async def test_after_each_loss_the_next_runner_waits_longer() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 1, "reason": "Error"})
    await world.reconcile()

    await world.look(a_runner_task(losses=1))
    assert world.made == [name(1)]
    world.now += timedelta(seconds=2)
    await world.look(a_runner_task(losses=1))

    assert world.made == [name(1), name(2)]


async def test_an_attempt_that_wore_out_runners_fails_and_says_how_the_last_one_ended() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    await world.reconcile()

    [(told, ref, outcome)] = await world.look(a_runner_task(losses=3))

    assert (told, ref.node, outcome.succeeded, outcome.reason) == ("complete", "call", False, "RunnerLost")
    assert "OOMKilled" in outcome.message
    assert world.made == [name(1)]


async def test_an_attempt_ends_with_its_timeout_whoever_holds_it() -> None:
    world = World()

    [(told, _, outcome)] = await world.look(a_runner_task(expires_at=NOON, holder="pod/uid"))

    assert (told, outcome.reason) == ("complete", "Timeout")
    assert world.made == []


async def test_a_runner_that_does_not_start_says_why_once_for_each_attempt() -> None:
    world = World()
    await world.look(a_runner_task("one"), a_runner_task("two"))
    world.pod(1, "Pending", waiting={"reason": "ImagePullBackOff", "message": "no such image"})

    told = await world.look(a_runner_task("one"), a_runner_task("two"))

    assert [(kind, ref.node, waiting.reason, waiting.node) for kind, ref, waiting in told] == [
        ("waiting", "one", "ImagePull", "one"),
        ("waiting", "two", "ImagePull", "two"),
    ]
    assert await world.look(a_runner_task("one"), a_runner_task("two")) == []
    world.pod(1, "Running", running={"startedAt": "2026-03-01T12:00:03Z"})
    assert [waiting for _, _, waiting in await world.look(a_runner_task("one"), a_runner_task("two"))] == [None, None]


async def test_a_runner_that_takes_nothing_on_is_told_of_once_that_lasts() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Running", running={"startedAt": "2026-03-01T12:00:03Z"})

    assert await world.look(a_runner_task()) == []
    world.now += timedelta(seconds=60)
    [(kind, ref, waiting)] = await world.look(a_runner_task())

    assert (kind, ref.node, waiting.reason) == ("waiting", "call", "RunnerSilent")
    assert "since 12:00:00 UTC" in waiting.message
    assert await world.look(a_runner_task()) == []


async def test_work_that_waited_for_a_runner_to_be_made_is_not_held_against_it() -> None:
    world = World()
    waited = a_runner_task(due_at=NOON - timedelta(minutes=10))
    await world.look(waited)
    world.pod(1, "Running", running={"startedAt": "2026-03-01T12:00:03Z"})

    assert await world.look(waited) == []


async def test_a_runner_that_has_work_may_let_other_work_wait() -> None:
    world = World()
    await world.look(a_runner_task("one"), a_runner_task("two"))
    world.pod(1, "Running", running={"startedAt": "2026-03-01T12:00:03Z"})
    world.now += timedelta(seconds=60)

    assert await world.look(a_runner_task("one", holder="pod/uid"), a_runner_task("two")) == []


async def test_a_job_that_is_refused_is_said_and_tried_again() -> None:
    world = World()
    world.kube.fail("create", ApiError.of(403, {"message": "exceeded quota: pods", "reason": "Forbidden"}, None))

    [(_, _, waiting)] = await world.look(a_runner_task())
    await world.look(a_runner_task())

    assert waiting.reason == "ComputeQuota"
    assert world.jobs.alive(RUN_ID)


async def test_without_a_gateway_runs_say_so() -> None:
    world = World(pods=None)

    [(kind, ref, waiting)] = await world.look(a_runner_task())

    assert (kind, ref.node, waiting.reason) == ("waiting", "call", "NoGateway")
    assert world.made == []


async def test_what_the_gateway_recorded_wakes_the_mirror_and_the_dispatcher() -> None:
    world = World()
    mirror = Key(Topic.RUN, "nightly-1", "acme")
    world.effects.mirror(RUN_ID, mirror)
    task = a_runner_task()
    await world.look(task)
    world.keys.clear()

    await world.look(replace(task, due_at=NOON + timedelta(seconds=5)))
    assert world.keys == []
    await world.look(replace(task, holder="pod/uid"))
    assert world.keys == [mirror]
    world.effects.work.clear()
    await world.look()

    assert world.keys == [mirror, mirror]
    assert world.effects.work.is_set()


async def test_a_runner_that_outlives_its_run_for_long_is_ended() -> None:
    world = World()
    await world.look(a_runner_task())
    await world.look()
    world.now += timedelta(seconds=64)
    await world.look()
    assert world.kube.verbs("delete") == []

    world.now += timedelta(seconds=1)
    await world.look()

    assert world.kube.verbs("delete") == [f"delete Job acme/{name(1)}"]


async def test_queued_work_wakes_the_loop() -> None:
    world = World()

    await world.effects.handle(Effects(tasks_queued=True))
    assert not world.effects.runners.is_set(), "it is a Job's"

    await world.effects.handle(Effects(tasks_queued=True, for_runners=("script",)))
    assert world.effects.runners.is_set()


async def test_a_deleted_runner_that_had_ended_well_is_no_loss() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Succeeded", terminated={"exitCode": 0, "reason": "Completed"})
    await world.reconcile()

    await world.jobs.deleted(world.kube.vanish(JOBS, name(1), "acme"))

    assert world.engine.told == []


async def test_what_is_asked_to_end_counts_as_ended_once_no_runner_has_it() -> None:
    world = World()
    await world.look(a_runner_task())
    stopping = a_runner_task(stopping=True, holder="pod/uid", due_at=NOON + timedelta(seconds=15))

    assert await world.look(stopping) == []
    [(_, ref, outcome)] = await world.look(replace(stopping, holder=None))
    assert (ref.node, outcome.succeeded, outcome.reason) == ("call", False, "Cancelled")
    world.now += timedelta(seconds=44)
    assert await world.look(stopping) == []
    world.now += timedelta(seconds=1)
    assert len(await world.look(stopping)) == 1


async def test_what_is_asked_to_end_ends_with_its_runner_and_gets_no_other() -> None:
    world = World()
    await world.look(a_runner_task())
    world.pod(1, "Failed", terminated={"exitCode": 143, "reason": "Error"})
    await world.reconcile()

    told = await world.look(a_runner_task(stopping=True, holder="pod/uid"))

    assert [(kind, outcome.reason) for kind, _, outcome in told] == [("complete", "Cancelled")]
    assert world.made == [name(1)]


async def test_an_attempt_that_has_gone_may_have_ended_its_run_and_others_have_not() -> None:
    world = World()

    await world.look(a_runner_task("one"), a_runner_task("two"))
    await world.look(a_runner_task("one", holder="pod/uid"), a_runner_task("two"))
    assert not world.effects.chain.is_set()

    await world.look(a_runner_task("two"))
    assert world.effects.chain.is_set()
