"""Replicas that do not lead make Jobs beside the one that does: each once, whoever dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import WORKSPACES
from headgate.domain.task import ClaimTerms
from headgate.reconcile import helper as helping
from headgate.reconcile.helper import Helper
from headgate.reconcile.workloads import make_job
from tests.builders import a_workspace
from tests.component.world import World, one_node
from tests.unit.cluster.fake_kube import FakeKube

LEASE = timedelta(seconds=15)
REFUSED = ApiError(403, "Forbidden", "exceeded quota")


class Replicas:
    """Replicas on one queue and one cluster, with a clock of seconds that stands still."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kube = FakeKube()
        self.seconds = 0.0

    def helper(self, name: str = "operator-1", batch: int = 50) -> Helper:
        return Helper(
            self.world.another_engine(),
            self.kube,
            ClaimTerms(name, batch, LEASE),
            wall=self.world.clock,
            monotonic=lambda: self.seconds,
        )

    def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        self.world.clock.advance(seconds=seconds)

    def creations(self) -> Counter[str]:
        """How often each Job was asked for."""
        return Counter(text for text in self.kube.verbs("create"))

    async def tasks(self, column: str) -> list[object]:
        return [row[column] for row in await self.world.rows(f"SELECT {column} FROM headgate.tasks")]


@pytest.fixture
async def replicas(world: World) -> Replicas:
    await world.given(one_node(retry={"limit": 1, "initialDelay": "0s"}))
    return Replicas(world)


async def test_a_helper_makes_the_jobs_and_records_them(replicas: Replicas) -> None:
    await replicas.world.admit()
    replicas.kube.put(WORKSPACES, a_workspace("acme").with_spec(scheduling={"nodeSelector": {"pool": "a"}}).manifest())

    await replicas.helper().once()

    [job] = [item for key, item in replicas.kube.objects.items() if key.kind == "Job"]
    assert await replicas.tasks("job_uid") == [job["metadata"]["uid"]]
    assert job["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "a"}


async def test_several_at_once_make_each_job_once(replicas: Replicas) -> None:
    for _ in range(30):
        await replicas.world.admit()

    await asyncio.gather(*(replicas.helper(f"operator-{number}", batch=3).once() for number in range(4)))

    assert set(replicas.creations().values()) == {1}
    assert len(replicas.creations()) == 30
    assert None not in await replicas.tasks("job_uid")


@pytest.mark.parametrize("made", [False, True], ids=["before the Job was made", "after the Job was made"])
async def test_what_a_replica_claimed_that_dies_is_taken_over_when_its_lease_ends(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    await replicas.world.admit()
    dying = replicas.helper("dies")
    if not made:
        monkeypatch.setattr(helping, "make_job", _dies)
    monkeypatch.setattr(dying._engine, "record_jobs", _dies)
    with pytest.raises(Killed):
        await dying.once()
    monkeypatch.undo()
    jobs = len(replicas.kube.objects)
    await replicas.helper("lives").once()
    assert await replicas.tasks("holder") == ["dies"]

    replicas.pass_time(15)
    await replicas.helper("lives").once()

    assert (jobs, len(replicas.kube.objects)) == (int(made), 1)
    [job] = replicas.kube.objects.values()
    assert await replicas.tasks("holder") == ["lives"]
    assert await replicas.tasks("job_uid") == [job["metadata"]["uid"]]


async def test_what_it_claimed_in_a_former_life_a_replica_takes_over_at_once(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replicas.world.admit()
    with monkeypatch.context() as patched:
        patched.setattr(helping, "make_job", _dies)
        with pytest.raises(Killed):
            await replicas.helper("dies").once()

    again = replicas.helper("dies")
    await again.take_over()
    await again.once()

    [job] = replicas.kube.objects.values()
    assert await replicas.tasks("job_uid") == [job["metadata"]["uid"]]


class Killed(BaseException):
    """The end of a process."""


async def _dies(*_: object) -> None:
    raise Killed


async def test_an_attempt_that_cannot_be_made_a_job_is_the_leaders_at_once(replicas: Replicas) -> None:
    run = await replicas.world.admit()
    replicas.kube.fail("create", REFUSED)
    helper = replicas.helper()
    await helper.once()
    await helper.once()
    assert len(replicas.creations()) == 1
    assert await replicas.tasks("waiting_reason") == [None]

    [task] = await replicas.world.claim(holder="leader")

    assert task.ref.run_id == run


async def test_one_that_could_not_does_not_hold_up_the_others(replicas: Replicas) -> None:
    for _ in range(5):
        await replicas.world.admit()
    replicas.kube.fail("create", REFUSED)

    await replicas.helper(batch=1).once()

    assert sum(uid is not None for uid in await replicas.tasks("job_uid")) == 4


async def test_a_helper_that_does_not_reach_the_api_server_leaves_everything_to_others_for_a_while(
    replicas: Replicas,
) -> None:
    for _ in range(3):
        await replicas.world.admit()
    replicas.kube.fail("create", Unreachable("no route"))
    helper = replicas.helper(batch=1)

    await helper.once()
    assert await helper.once() is None

    assert len(await replicas.world.claim(holder="leader")) == 3
    replicas.pass_time(15)
    await helper.once()
    assert None not in await replicas.tasks("job_uid")


async def test_it_creates_nothing_when_its_lease_may_have_ended(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replicas.world.admit()
    helper = replicas.helper()
    spec_of = helper._spec_of

    async def slow(name: str) -> object:
        replicas.pass_time(11)
        helper._stopped = True
        return await spec_of(name)

    monkeypatch.setattr(helper, "_spec_of", slow)
    await helper.once()

    assert replicas.kube.verbs("create") == []


async def test_a_job_that_was_made_while_its_attempt_was_cancelled_is_ended(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await replicas.world.admit()
    await _meanwhile(replicas, monkeypatch, cancel=True)

    assert replicas.kube.objects == {}
    assert (await replicas.world.view(run)).phase == "Cancelled"


async def test_a_job_that_ran_to_its_end_before_it_was_recorded_is_left_alone(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await replicas.world.admit()
    await _meanwhile(replicas, monkeypatch, cancel=False)

    assert len(replicas.kube.objects) == 1
    assert (await replicas.world.view(run)).phase == "Succeeded"


async def _meanwhile(replicas: Replicas, monkeypatch: pytest.MonkeyPatch, *, cancel: bool) -> None:
    """Let a helper work, and the only run end between the making of its Job and the record of it."""
    world = replicas.world
    [row] = await world.rows("SELECT execution_id FROM headgate.tasks")

    async def made(*arguments: object) -> object:
        job = await make_job(*arguments)  # type: ignore[arg-type]
        if cancel:
            await world.engine.control.cancel(world.ids["acme"], row["execution_id"], "no")
        else:
            await world.succeed(row["execution_id"])
        return job

    monkeypatch.setattr(helping, "make_job", made)
    await replicas.helper().once()


async def test_a_helper_that_is_stopped_finishes_what_it_began_and_claims_no_more(replicas: Replicas) -> None:
    for _ in range(3):
        await replicas.world.admit()
    helper = replicas.helper(batch=1)
    working = asyncio.create_task(helper.once())
    await asyncio.sleep(0)

    await helper.stop()
    await working

    uids = await replicas.tasks("job_uid")
    holders = await replicas.tasks("holder")
    assert [uid is None for uid in uids] == [holder is None for holder in holders]
    assert None in uids
