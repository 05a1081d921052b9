"""A run that starts is begun by a runner whose request waits, as long as nothing else is due for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.runner_task import KINDS, POOL_NAME, RunnerTask
from headgate.engine.engine import Engine
from headgate.engine.steps.going_on import Claimant
from headgate.engine.types import Admitted, Effects, LeaseLost, Refused, RunRequest
from headgate.gateway.waiting_room import WaitingRoom
from headgate.store.database import Database, Transaction
from headgate.store.errors import DatabaseUnavailable
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.api_client import Api
from tests.component.ledger import ALICE
from tests.component.priced import priced
from tests.component.test_going_on import CALL, LEASE, SCRIPT, SECRET
from tests.component.world import World
from tests.support.waiting import eventually

Waiting = asyncio.Task[RunnerTask | None]


def one_call(name: str = "nightly", **members: Any) -> WorkflowBuilder:
    return a_workflow(name).with_node("work", CALL, **members)


@dataclass
class Seeking:
    """A request of a runner of the pool."""

    pool: Pool
    claimant: Claimant
    looks: int = 0
    left: bool = False

    async def look(self) -> RunnerTask | None:
        self.looks += 1
        it, tasks = self.claimant, self.pool.engine.runner_tasks
        task, _ = await tasks.claim(self.pool.workspace, "acme", None, it.holder, it.lease, it.kinds)
        return task

    async def gone(self) -> bool:
        return self.left

    async def give_back(self, task: RunnerTask) -> None:
        try:
            effects = await self.pool.engine.runner_tasks.give_back(task.ref, self.claimant.holder)
            self.pool.room.ring("acme", effects.for_runners)
        except LeaseLost:
            pass
        self.pool.given_back.append(task.ref.node)


@dataclass
class Pool:
    """A gateway's room, in which requests of runners wait, and its engine."""

    world: World
    engine: Engine
    room: WaitingRoom = field(default_factory=lambda: WaitingRoom(net_seconds=500))
    seeking: list[Seeking] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> UUID:
        return self.world.ids["acme"]

    async def waits(self, *kinds: str) -> Waiting:
        """One more request, once it has found nothing."""
        pod = f"pod-{len(self.waiting) + 1}"
        seeking = Seeking(self, Claimant(pod, "acme", LEASE, kinds=kinds or ("http",)))
        self.seeking.append(seeking)
        self.waiting.append(asyncio.create_task(self.room.first("acme", seeking, 600)))

        async def rests() -> bool:
            return sum(1 for _ in self.room.free("acme", "acme")) == len(
                [each for each in self.waiting if not each.done()]
            )

        await eventually(rests, every=0.001)
        return self.waiting[-1]

    async def finds(self) -> Waiting:
        """One more request, which finds something."""
        claimant = Claimant("pod-0", "acme", LEASE, kinds=("http",))
        return asyncio.create_task(self.room.first("acme", Seeking(self, claimant), 0))

    async def admits(self, request: RunRequest | None = None) -> tuple[UUID, Effects]:
        """A run that must be admitted."""
        answer, effects = await self.engine.admit(request or self.world.request(), self.room.of("acme"))
        assert isinstance(answer, Admitted)
        self.room.ring("acme", effects.for_runners)
        return answer.run_id, effects

    async def given(self, *workflows: WorkflowBuilder) -> None:
        """Workflows, each of which had a run, which ended."""
        for workflow in workflows:
            await self.world.given(workflow)
            run, _ = await self.admits(self.world.request(workflow.model().metadata.name))
            await self.engine.control.cancel(self.workspace, run, "it was the first")

    async def tasks(self) -> list[dict[str, Any]]:
        return await self.world.rows(
            "SELECT execution_id, node, holder, due_at, expires_at FROM headgate.tasks ORDER BY execution_id, node"
        )


async def answered(waiting: Waiting) -> RunnerTask:
    task = await asyncio.wait_for(waiting, 10)
    assert task is not None
    return task


@pytest.fixture
async def pool(world: World) -> AsyncIterator[Pool]:
    await world.given_workspace(max_concurrent_runs=1_000)
    pool = Pool(world, world.engine)
    await pool.given(one_call())
    yield pool
    for waiting in pool.waiting:
        waiting.cancel()
    await asyncio.gather(*pool.waiting, return_exceptions=True)


async def test_without_a_message_more_than_the_start_takes(pool: Pool, sent: list[str]) -> None:
    waiting = await pool.waits()
    sent.clear()

    run, effects = await pool.admits()
    task = await answered(waiting)

    assert len(sent) == 4
    assert task.ref == pool.world.ref(run, "work")
    assert (task.workspace, task.namespace, task.workflow) == ("acme", "acme", "nightly")
    assert task.work["http"]["url"] == "https://example.com"
    assert effects.for_runners == ()
    assert effects.runs == {run}
    [row] = await pool.tasks()
    assert row["holder"] == "pod-1"


async def recorded(pool: Pool, run: UUID) -> list[dict[str, Any]]:
    """What is recorded of the attempts of a run."""
    return await pool.world.rows(
        """
        SELECT t.holder, t.due_at, t.expires_at, t.losses, t.waiting_reason, t.priority, s.phase,
            s.attempt_started_at, s.hourly_rate, s.price_version, s.cpu_requested, s.memory_requested
        FROM headgate.tasks t JOIN headgate.workflow_execution_steps s USING (execution_id, node, attempt)
        WHERE t.execution_id = %s
        """,
        run,
    )


async def test_as_it_would_be_recorded_had_it_been_claimed(pool: Pool) -> None:
    pool.engine = priced(pool.world).engine
    await pool.given(one_call())
    run, _ = await pool.admits()
    claimed, _ = await pool.engine.runner_tasks.claim(pool.workspace, "acme", None, "pod-1", LEASE, ("http",))
    await pool.waits()

    handed_run, _ = await pool.admits(pool.world.request())
    # The clock goes on by a millisecond with each request.
    later = timedelta(milliseconds=1)
    handed = await answered(pool.waiting[0])

    assert claimed is not None
    assert handed.expires_at == claimed.expires_at + later
    [first], [second] = [await recorded(pool, each) for each in (run, handed_run)]
    times = ("due_at", "expires_at", "attempt_started_at")
    assert second == {**first, **{name: first[name] + later for name in times}}
    assert second["phase"] == "Running"
    assert second["hourly_rate"] > 0
    assert second["memory_requested"] > 0


async def test_and_is_told_of_as_it_is_recorded(pool: Pool) -> None:
    await pool.waits()

    answer, _ = await pool.engine.admit(pool.world.request(), pool.room.of("acme"))

    assert isinstance(answer, Admitted)
    assert answer.view is not None
    assert answer.view == await pool.world.view(answer.run_id)
    assert [(node.phase, node.started_at) for node in answer.view.nodes] == [(NodePhase.RUNNING, pool.world.clock.now)]


async def test_the_first_of_several_and_the_others_are_queued(pool: Pool) -> None:
    await pool.given(a_workflow("wide").with_node("b", CALL).with_node("a", CALL).with_node("c", SCRIPT))
    waiting = await pool.waits()

    _, effects = await pool.admits(pool.world.request("wide"))

    assert (await answered(waiting)).ref.node == "a"
    assert sorted(effects.for_runners) == ["http", "script"]


async def test_whose_request_waits_longest(pool: Pool) -> None:
    first, second = await pool.waits(), await pool.waits("http", "sql")

    runs = [(await pool.admits())[0] for _ in range(2)]

    assert [(await answered(each)).ref.run_id for each in (first, second)] == runs
    assert [row["holder"] for row in await pool.tasks()] == ["pod-1", "pod-2"]


class TestItIsQueuedAsEver:
    async def test_where_something_else_is_due(self, pool: Pool) -> None:
        waiting = await pool.waits()
        # Somebody else queued it, and rang nowhere yet.
        older = await pool.world.admit()

        run, effects = await pool.admits()

        assert effects.for_runners == ("http",)
        assert (await answered(waiting)).ref.run_id == older
        assert [(row["execution_id"], row["holder"]) for row in await pool.tasks()] == [(older, "pod-1"), (run, None)]

    async def test_where_something_fell_due_by_itself(self, pool: Pool) -> None:
        run = await pool.world.admit()
        await pool.engine.runner_tasks.claim(pool.workspace, "acme", None, "pod-9", LEASE, ("http",))
        waiting = await pool.waits()
        pool.world.clock.advance(seconds=15)

        await pool.admits()

        assert (await answered(waiting)).ref.run_id == run

    async def test_but_not_where_only_others_can_do_that(self, pool: Pool) -> None:
        await pool.given(a_workflow("scripts").with_node("work", SCRIPT))
        await pool.given(a_workflow("secret").with_node("work", SECRET))
        await pool.world.admit("scripts")
        await pool.world.admit("secret")
        waiting = await pool.waits()

        run, _ = await pool.admits()

        assert (await answered(waiting)).ref.run_id == run

    @pytest.mark.parametrize("config", [SCRIPT, SECRET], ids=["no room for its kind", "its Secrets are with another"])
    async def test_where_it_is_not_for_who_waits(self, pool: Pool, config: dict[str, Any]) -> None:
        await pool.given(a_workflow("other").with_node("work", config))
        waiting = await pool.waits()

        _, effects = await pool.admits(pool.world.request("other"))

        assert len(effects.for_runners) == 1
        assert not waiting.done()
        [row] = await pool.tasks()
        assert row["holder"] is None

    async def test_where_nobody_waits(self, pool: Pool) -> None:
        _, effects = await pool.admits()

        assert effects.for_runners == ("http",)

    async def test_where_it_is_the_first_of_its_workflow(self, pool: Pool) -> None:
        await pool.world.given(one_call("new"))
        waiting = await pool.waits()

        run, effects = await pool.admits(pool.world.request("new"))

        assert effects.for_runners == ("http",)
        assert (await answered(waiting)).ref.run_id == run


class TestWhoWaitsGoesOnWaiting:
    async def test_where_the_run_has_to(self, pool: Pool) -> None:
        await pool.world.given_workspace(max_concurrent_runs=1)
        first = await pool.waits()
        running, _ = await pool.admits()
        await answered(first)
        second = await pool.waits()

        run, effects = await pool.admits()

        assert (await pool.world.phase(run), effects.for_runners) == (RunPhase.PENDING, ())
        assert [row["execution_id"] for row in await pool.tasks()] == [running]
        assert not second.done()
        assert pool.room.of("acme").kinds("acme", KINDS) == {"http"}

    async def test_where_it_is_refused(self, pool: Pool) -> None:
        await pool.world.given_workspace(max_concurrent_runs=0, on_exceeded=OnExceeded.REJECT)
        waiting = await pool.waits()

        answer, _ = await pool.engine.admit(pool.world.request(), pool.room.of("acme"))

        assert isinstance(answer, Refused)
        assert not waiting.done()
        assert pool.room.of("acme").kinds("acme", KINDS) == {"http"}

    async def test_where_the_key_was_used(self, pool: Pool) -> None:
        request = pool.world.request()
        first = await pool.waits()
        await pool.admits(request)
        await answered(first)
        second = await pool.waits()

        await pool.admits(request)

        assert not second.done()
        assert len(await pool.tasks()) == 1

    async def test_where_nothing_could_be_recorded(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
        waiting = await pool.waits()

        async def broken(*_: object) -> None:
            raise RuntimeError("no entry can be made")

        with monkeypatch.context() as patch:
            patch.setattr("headgate.engine.starting.admission.record", broken)
            with pytest.raises(RuntimeError):
                await pool.admits(pool.world.request(by=ALICE))
        assert await pool.tasks() == []

        run, _ = await pool.admits()
        assert (await answered(waiting)).ref.run_id == run
        assert pool.given_back == []

    async def test_and_hears_who_rings_meanwhile(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
        await pool.waits()
        seeking = pool.seeking[0]
        before = seeking.looks

        async def broken(*_: object) -> None:
            assert not pool.room.ring("acme", ["http"])
            raise RuntimeError("no entry can be made")

        monkeypatch.setattr("headgate.engine.starting.admission.record", broken)
        with pytest.raises(RuntimeError):
            await pool.admits(pool.world.request(by=ALICE))

        async def looked() -> bool:
            return seeking.looks == before + 1

        await eventually(looked, every=0.001)


class Uncertain(Database):
    """Its connection is lost as soon as what starts a run is committed."""

    armed = False

    @asynccontextmanager
    async def tenant(self, workspace_id: UUID, **how: Any) -> AsyncIterator[Transaction]:
        async with super().tenant(workspace_id, **how) as tx:
            yield tx
        if self.armed:
            raise DatabaseUnavailable("the connection is lost")


class TestWhatNobodyTookIsGivenBackAtOnce:
    async def test_where_the_request_is_gone(self, pool: Pool) -> None:
        gone = await pool.waits()
        pool.seeking[0].left = True
        there = await pool.waits()

        run, effects = await pool.admits()

        assert effects.for_runners == ()
        assert await asyncio.wait_for(gone, 10) is None
        assert (await answered(there)).ref.run_id == run
        assert pool.given_back == ["work"]
        [row] = await pool.tasks()
        assert row["holder"] == "pod-2"

    async def test_where_the_request_ends_while_the_run_is_recorded(
        self, pool: Pool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waiting = await pool.waits()

        async def ends(*_: object) -> None:
            waiting.cancel()

        monkeypatch.setattr("headgate.engine.starting.admission.record", ends)
        run, _ = await pool.admits(pool.world.request(by=ALICE))

        assert (await answered(await pool.finds())).ref.run_id == run

    async def test_where_nobody_can_tell_whether_the_run_was_recorded(self, pool: Pool) -> None:
        database = Uncertain(pool.world.url, pool_size=2)
        pool.engine = Engine(database, pool.world.expressions, clock=pool.world.clock)
        await pool.given(one_call())
        waiting = await pool.waits()
        database.armed = True
        with pytest.raises(DatabaseUnavailable):
            await pool.admits()
        database.armed = False

        task = await answered(waiting)

        assert pool.given_back == ["work"]
        [row] = await pool.tasks()
        assert (row["execution_id"], row["holder"]) == (task.ref.run_id, "pod-1")
        await database.close()


class TestStartsThatShareATransaction:
    async def test_each_have_a_waiter_of_their_own(self, pool: Pool, sent: list[str]) -> None:
        waiting = [await pool.waits() for _ in range(3)]
        requests = [pool.world.request() for _ in range(5)]
        sent.clear()

        found = await asyncio.gather(*map(pool.admits, requests))
        given = [await answered(each) for each in waiting]

        assert len(sent) == 4 + 4
        begun = {task.ref.run_id: f"pod-{number}" for number, task in enumerate(given, 1)}
        assert len(begun) == 3
        for run, effects in found:
            assert effects.for_runners == (() if run in begun else ("http",))
        assert {row["execution_id"]: row["holder"] for row in await pool.tasks()} == {
            run: begun.get(run) for run, _ in found
        }

    async def test_record_what_one_alone_does(self, pool: Pool) -> None:
        pool.engine = priced(pool.world).engine
        await pool.given(one_call())
        for _ in range(4):
            await pool.waits()
        await asyncio.gather(*(pool.admits(pool.world.request()) for _ in range(4)))

        rows = await pool.world.rows(
            """
            SELECT t.holder, t.due_at - s.attempt_started_at AS lease, t.expires_at - s.attempt_started_at AS time,
                s.phase, s.hourly_rate, s.price_version, s.cpu_requested, s.memory_requested
            FROM headgate.tasks t JOIN headgate.workflow_execution_steps s USING (execution_id, node, attempt)
            """
        )

        assert sorted(row.pop("holder") for row in rows) == ["pod-1", "pod-2", "pod-3", "pod-4"]
        assert len({str(row) for row in rows}) == 1
        assert rows[0]["hourly_rate"] > 0

    async def test_are_queued_where_something_else_is_due(self, pool: Pool) -> None:
        waiting = await pool.waits()
        older = await pool.world.admit()

        found = await asyncio.gather(*(pool.admits() for _ in range(4)))

        assert [effects.for_runners for _, effects in found] == [("http",)] * 4
        assert (await answered(waiting)).ref.run_id == older

    async def test_give_it_to_the_same_ones_where_each_is_served_alone_after_all(self, pool: Pool) -> None:
        await pool.world.given(a_workflow("broken").with_condition("check", "boom", after=["by-hand"]))
        pool.world.expressions.values["boom"] = RuntimeError("the child is gone")
        waiting = [await pool.waits() for _ in range(3)]
        names = ["nightly", "nightly", "broken", "nightly"]

        found = await asyncio.gather(*(pool.admits(pool.world.request(name)) for name in names), return_exceptions=True)

        given = {(await answered(each)).ref.run_id for each in waiting}
        assert given == {each[0] for each in found if not isinstance(each, BaseException)}
        assert len(given) == 3
        assert pool.given_back == []


async def test_nobody_gets_what_another_one_has(pool: Pool) -> None:
    """Starts at once, requests that come and go, and claims of another gateway beside them."""
    other = pool.world.another_engine()
    got: list[RunnerTask] = []

    async def seek(number: int) -> None:
        while len(got) < 60:
            seeking = Seeking(pool, Claimant(f"pod-{number}", "acme", LEASE, kinds=("http",)))
            task = await pool.room.first("acme", seeking, 0.05)
            if task is not None:
                got.append(task)

    async def claim() -> None:
        while len(got) < 60:
            task, _ = await other.runner_tasks.claim(pool.workspace, "acme", None, "pod-9", LEASE, ("http",))
            if task is not None:
                got.append(task)
            await asyncio.sleep(0.01)

    seekers = [asyncio.create_task(seek(number)) for number in range(4)] + [asyncio.create_task(claim())]
    for _ in range(15):
        await asyncio.gather(*(pool.admits() for _ in range(4)))
    await asyncio.wait_for(asyncio.gather(*seekers), 30)

    assert len({task.ref for task in got}) == len(got) == 60


async def test_a_request_that_waits_at_the_gateway_is_answered_by_a_start(world: World, api: Api) -> None:
    await world.given(one_call())
    api.server.knows("token-1", UUID(int=0))
    api.server.users["token-1"]["user"]["extra"]["authentication.kubernetes.io/pod-name"] = [
        f"{POOL_NAME}-6bd9f7c5d8-abcde"
    ]
    claim = {"kinds": ["http"], "waitSeconds": 9}
    headers = {"Authorization": "Bearer token-1"}

    async def rests() -> bool:
        return bool(api.room.of("acme").kinds("acme", KINDS))

    first = await api.start()
    await world.engine.control.cancel(world.ids["acme"], UUID(first["id"]), "it was the first")
    waiting = asyncio.create_task(api.http.post("/runner/v1/claim", json=claim, headers=headers))
    await eventually(rests)
    started = await api.start()

    task = (await asyncio.wait_for(waiting, 10)).json()["task"]
    assert (task["runId"], task["node"], task["workspace"]) == (started["id"], "work", "acme")
