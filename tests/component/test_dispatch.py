"""Handing attempts to those who run them."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from headgate.api.workflow_run import NodePhase
from headgate.engine.types import ClaimTerms, Waiting
from tests.builders import container
from tests.component.world import World, one_node

LEASE = timedelta(seconds=15)


async def test_two_claimers_never_get_the_same_attempt(world: World) -> None:
    await world.given(one_node())
    for _ in range(30):
        await world.admit()
    engines = [world.another_engine() for _ in range(6)]

    claims = await asyncio.gather(
        *(e.claim_jobs(ClaimTerms(f"operator-{i}", 5), world.clock.now) for i, e in enumerate(engines))
    )
    rest = await world.claim()

    claimed = [task.ref for claim in claims for task in claim.tasks] + [task.ref for task in rest]
    assert len(claimed) == len(set(claimed)) == 30


async def test_a_claim_runs_out_when_its_holder_dies_before_the_job_is_recorded(world: World) -> None:
    await world.given(one_node(config=container(args=["--fast"])))
    await world.admit()
    [first] = await world.claim(holder="dies")
    assert await world.claim(holder="lives") == []

    world.clock.advance(seconds=14)
    assert await world.claim(holder="lives") == []
    world.clock.advance(seconds=1)

    assert await world.claim(holder="lives") == [first]


async def test_a_process_that_starts_again_need_not_wait_for_its_own_claims(world: World) -> None:
    await world.given(one_node())
    for _ in range(3):
        await world.admit()
    [mine] = await world.claim(holder="me", limit=1)
    [made] = await world.claim(holder="me", limit=1)
    await world.claim(holder="another", limit=1)
    await world.engine.record_jobs([(made.ref, "uid-1")])

    assert await world.engine.take_over_claims("me", world.clock.now) == 1

    assert await world.claim(holder="me") == [mine]
    assert await world.engine.take_over_claims("nobody", world.clock.now) == 0


async def test_an_attempt_whose_job_is_known_is_never_claimed_again(world: World) -> None:
    await world.given(one_node())
    await world.admit()
    [task] = await world.claim()
    assert (await world.engine.record_jobs([(task.ref, "uid-1")])).cancelled == ()

    world.clock.advance(days=2)

    assert await world.claim() == []
    assert [(task.ref, task.job_uid) for task in await world.engine.open_tasks()] == [(task.ref, "uid-1")]


async def test_a_job_that_was_made_while_its_run_was_cancelled_is_to_be_ended(world: World) -> None:
    await world.given(one_node())
    run, kept = await world.admit(), await world.admit()
    [task, other] = await world.claim()
    await world.engine.control.cancel(world.ids["acme"], run, "changed my mind")

    effects = await world.engine.record_jobs([(task.ref, "uid-1"), (other.ref, "uid-2")])

    assert effects.cancelled == (world.ref(run, "work"),)
    assert [(task.ref.run_id, task.job_uid) for task in await world.engine.open_tasks()] == [(kept, "uid-2")]


async def test_a_busy_workspace_does_not_starve_a_quiet_one(world: World) -> None:
    for name in ("busy", "quiet"):
        await world.given_workspace(name)
        await world.given(one_node(), name)
    for _ in range(20):
        await world.admit(workspace="busy")
    for _ in range(2):
        await world.admit(workspace="quiet")

    first = [task.workspace for task in await world.claim(limit=4)]
    second = [task.workspace for task in await world.claim(limit=4)]

    assert Counter(first) == {"busy": 2, "quiet": 2}
    assert Counter(second) == {"busy": 4}


async def test_within_a_workspace_the_oldest_attempt_comes_first(world: World) -> None:
    await world.given(one_node())
    runs = [await world.admit() for _ in range(5)]

    claimed = [task.ref.run_id for _ in range(5) for task in await world.claim(limit=1)]

    assert claimed == runs


async def test_a_claim_says_when_the_next_attempt_is_due(world: World) -> None:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "40s"}))
    assert (await world.engine.claim_jobs(ClaimTerms("operator-0", 10), world.clock.now)).next_due is None
    run = await world.admit()
    await world.claim()
    await world.fail(run, "work")

    claimed = await world.engine.claim_jobs(ClaimTerms("operator-0", 10), world.clock.now)

    assert claimed.tasks == ()
    assert claimed.next_due == world.clock.now + timedelta(seconds=40)


async def test_what_a_pod_waits_for_is_kept_when_its_job_is_recorded_later(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    ref = world.ref(run, "work")
    await world.engine.record_waiting(ref, Waiting("ComputeQuota", "no room", "work"))
    world.clock.advance(seconds=1)
    claimed_at = world.clock.now
    await world.claim()
    await world.engine.record_waiting(ref, Waiting("Unschedulable", "no node", "work"))
    world.clock.advance(seconds=1)

    await world.engine.record_jobs([(ref, "uid")], claimed_at)

    assert [waiting.reason for waiting in (await world.view(run)).waiting] == ["Unschedulable"]


async def test_what_an_attempt_waited_for_before_its_job_was_made_is_forgotten(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    ref = world.ref(run, "work")
    await world.engine.record_waiting(ref, Waiting("ComputeQuota", "no room", "work"))
    world.clock.advance(seconds=1)
    claimed_at = world.clock.now
    await world.claim()

    await world.engine.record_jobs([(ref, "uid")], claimed_at)

    assert (await world.view(run)).waiting == ()


async def test_an_attempt_that_this_release_cannot_read_does_not_hold_up_the_others(world: World) -> None:
    await world.given(one_node())
    broken, good = await world.admit(), await world.admit()
    await world.rows(
        """UPDATE headgate.tasks SET work = '{"container": {"image": 7}}' WHERE execution_id = %s RETURNING 1""", broken
    )

    assert [task.ref.run_id for task in await world.claim()] == [good]


async def test_what_an_attempt_waits_for_shows_in_the_run_until_it_runs(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    waiting = Waiting("ImagePull", "the image cannot be pulled", "work", world.clock.now + LEASE)

    assert (await world.engine.record_waiting(world.ref(run, "work"), waiting)).runs == {run}
    assert (await world.view(run)).waiting == (waiting,)

    assert (await world.engine.mark_running(world.ref(run, "work"), world.clock.now)).runs == {run}
    view = await world.view(run)
    assert view.waiting == ()
    assert (view.nodes[0].phase, view.nodes[0].started_at) == (NodePhase.RUNNING, world.clock.now)


@pytest.mark.parametrize(
    ("waiting", "calm"),
    [(None, True), (Waiting("Unschedulable", "no room", "work"), True), (Waiting("ImagePull", "none", "work"), False)],
    ids=["for nothing", "for room", "for a person"],
)
async def test_only_what_calls_for_a_person_has_to_be_told_soon(
    world: World, waiting: Waiting | None, calm: bool
) -> None:
    await world.given(one_node())
    run = await world.admit()
    ref = world.ref(run, "work")
    await world.engine.record_waiting(ref, Waiting("Mount", "", "work"))

    told = await world.engine.record_waiting(ref, waiting)
    started = await world.engine.mark_running(ref, world.clock.now)

    assert (told.runs, told.calm) == (frozenset([run]), frozenset([run] if calm else []))
    assert started.calm == {run}


async def test_what_is_known_already_is_no_news(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    ref, waiting = world.ref(run, "work"), Waiting("ImagePull", "the image cannot be pulled", "work")

    assert (await world.engine.record_waiting(ref, None)).runs == frozenset()
    await world.engine.record_waiting(ref, waiting)
    assert (await world.engine.record_waiting(ref, waiting)).runs == frozenset()
    assert (await world.engine.record_waiting(ref, None)).runs == {run}
    await world.engine.mark_running(ref, world.clock.now)
    assert (await world.engine.mark_running(ref, world.clock.advance(seconds=5))).runs == frozenset()


async def test_an_attempt_that_ended_does_not_run_again(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    await world.succeed(run, "work")

    assert (await world.engine.mark_running(world.ref(run, "work"), world.clock.now)).runs == frozenset()
    assert await world.phases(run) == {"work": NodePhase.SUCCEEDED}
