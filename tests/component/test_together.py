"""What comes at once is done in one transaction, and each who asked has an answer of their own all the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from headgate.api.circuit_breaker import CircuitBreaker
from headgate.api.quota import OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.amounts import Amount
from headgate.domain.measured import Measured
from headgate.domain.runner_task import RunnerTask
from headgate.engine.together import MOST
from headgate.engine.types import Admitted, Effects, LeaseLost, Outcome, Refused, RunRequest
from headgate.store.beginning import number
from tests.builders import a_workflow
from tests.component.ledger import ALICE, Ledger
from tests.component.priced import ONE_CPU, priced
from tests.component.world import World, one_node

MANY = 8
LEASE = timedelta(seconds=15)
DONE = Outcome(succeeded=True)
FAILS = Outcome(succeeded=False, reason="ExitCode", message="exit code 3", exit_code=3)
LARGE = Outcome(succeeded=True, output="y" * 3998)
"""Its output takes 4,000 bytes."""


@pytest.fixture
async def warm(world: World) -> World:
    """A world with a workflow whose definition was read."""
    await world.given_workspace(max_concurrent_runs=1_000)
    await world.given(one_node())
    await world.admit()
    return world


async def admitted(world: World, requests: Sequence[RunRequest]) -> list[Admitted | Refused]:
    """The answers to requests that come at once."""
    return [answer for answer, _ in await asyncio.gather(*map(world.engine.admit, requests))]


async def runs(world: World, count: int = MANY, workflow: str = "nightly") -> list[UUID]:
    """Runs that were asked for at once."""
    answers = await admitted(world, [world.request(workflow) for _ in range(count)])
    return [answer.run_id for answer in answers if isinstance(answer, Admitted)]


async def ended(world: World, found: Sequence[UUID], outcome: Outcome = DONE, node: str = "work") -> list[Effects]:
    """What follows where attempts of all of them end at once."""
    return await asyncio.gather(*(world.engine.complete(world.ref(run, node), outcome) for run in found))


def transactions(sent: list[str]) -> int:
    return sum("BEGIN" in statement for statement in sent)


@asynccontextmanager
async def held(world: World, run: UUID) -> AsyncIterator[None]:
    """Somebody else holds the run meanwhile."""
    connection = await psycopg.AsyncConnection.connect(world.superuser_url, autocommit=True)
    async with connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", [number(run)])
        yield


class TestBatches:
    async def test_those_who_come_while_one_is_served_share_the_next_transaction(
        self, warm: World, sent: list[str]
    ) -> None:
        requests = [warm.request(by=ALICE) for _ in range(MANY)]
        sent.clear()

        answers = await admitted(warm, requests)

        assert len(sent) == 5 + 5
        assert len({answer.run_id for answer in answers if isinstance(answer, Admitted)}) == MANY

    async def test_ends_of_different_runs_share_one_too(self, warm: World, sent: list[str]) -> None:
        found = await runs(warm)
        sent.clear()

        effects = await ended(warm, found)

        assert len(sent) == 4 + 4
        assert [[run.run_id for run in each.finished] for each in effects] == [[run] for run in found]
        assert {await warm.phase(run) for run in found} == {RunPhase.SUCCEEDED}
        assert (await warm.usage())["running"] == 1

    async def test_who_is_alone_costs_what_it_did(self, warm: World, sent: list[str]) -> None:
        sent.clear()
        run = await warm.admit()
        await warm.succeed(run)

        assert len(sent) == 4 + 4

    async def test_no_transaction_is_of_two_workspaces(self, warm: World, sent: list[str]) -> None:
        await warm.given_workspace("umbra")
        await warm.given(one_node(), "umbra")
        await warm.admit(workspace="umbra")
        requests = [warm.request(workspace=name) for name in ("acme", "umbra") * MANY]
        sent.clear()

        await admitted(warm, requests)

        begun = Counter(
            next(name for name in warm.ids if str(warm.ids[name]) in text) for text in sent if "BEGIN" in text
        )
        assert begun == {"acme": 2, "umbra": 2}
        rows = await warm.rows("SELECT workspace_id, count(*) FROM headgate.workflow_executions GROUP BY 1")
        assert {row["workspace_id"]: row["count"] for row in rows} == dict.fromkeys(warm.ids.values(), MANY + 1)

    async def test_a_batch_is_bounded(self, warm: World, sent: list[str]) -> None:
        requests = [warm.request() for _ in range(1 + MOST + 1)]
        sent.clear()

        await admitted(warm, requests)

        assert transactions(sent) == 3

    async def test_both_forms_record_the_same(self, warm: World) -> None:
        priced(warm)
        outcome = Outcome(True, {"n": 1}, footprint=ONE_CPU, used=Measured(Amount.of(2), Amount.of(2**30)))
        await warm.given(
            one_node("full", retry={"limit": 1})
            .with_node("then", after=["work"])
            .with_input("text", default="hello")
            .with_spec(timeout="1h", priority=3)
        )
        lone = await warm.admit("full", labels={"team": "a"}, resource="mine")
        requests = [warm.request("full", labels={"team": "a"}, resource="mine") for _ in range(3)]
        together = [answer.run_id for answer in await admitted(warm, requests) if isinstance(answer, Admitted)]
        await ended(warm, [lone], outcome)
        await ended(warm, together, outcome)

        rows = await warm.rows(
            """
            SELECT e.*, t.node, t.attempt AS task_attempt, t.work, t.timeout_seconds, t.kind, t.first_attempt,
                t.namespace, t.workflow, t.priority AS task_priority, (
                    SELECT jsonb_agg(to_jsonb(s) - ARRAY['execution_id', 'started_at', 'attempt_finished_at']
                        ORDER BY s.node)
                    FROM headgate.workflow_execution_steps s WHERE s.execution_id = e.id
                ) AS steps
            FROM headgate.workflow_executions e JOIN headgate.tasks t ON t.execution_id = e.id
            WHERE e.id = ANY (%s)
            """,
            [lone, *together],
        )
        own = ("id", "started_at", "trigger_key", "running_since", "deadline")
        assert len(rows) == 4
        assert len({str({k: v for k, v in row.items() if k not in own}) for row in rows}) == 1


class TestEachHasItsOwn:
    async def test_answer(self, warm: World, sent: list[str]) -> None:
        requests = [
            warm.request(),
            warm.request("unknown"),
            warm.request(inputs={"typo": 1}),
            warm.request(),
        ]
        sent.clear()

        answers = await admitted(warm, [warm.request(), *requests])

        assert transactions(sent) == 2
        assert [answer.reason if isinstance(answer, Refused) else None for answer in answers] == [
            None,
            None,
            "WorkflowNotFound",
            "InvalidInputs",
            None,
        ]

    async def test_failure_where_the_others_succeed(self, warm: World) -> None:
        await warm.given(a_workflow("broken").with_condition("check", "boom", after=["by-hand"]))
        warm.expressions.values["boom"] = RuntimeError("the child is gone")
        requests = [warm.request(), warm.request(), warm.request("broken"), warm.request()]

        found = await asyncio.gather(*map(warm.engine.admit, requests), return_exceptions=True)

        failed = [answer for answer in found if isinstance(answer, BaseException)]
        assert [str(error) for error in failed] == ["the child is gone"]
        assert isinstance(found[2], RuntimeError)
        assert len(await warm.rows("SELECT FROM headgate.workflow_executions")) == 1 + 3

    async def test_lost_lease(self, warm: World, sent: list[str]) -> None:
        tasks = await claimed(warm, 4)
        sent.clear()

        found = await asyncio.gather(
            *(complete(warm, task, "pod-9" if number == 2 else "pod-1") for number, task in enumerate(tasks)),
            return_exceptions=True,
        )

        assert transactions(sent) == 2
        assert [isinstance(answer, LeaseLost) for answer in found] == [False, False, True, False]
        phases = [await warm.phase(task.ref.run_id) for task in tasks]
        assert phases == [RunPhase.SUCCEEDED, RunPhase.SUCCEEDED, RunPhase.RUNNING, RunPhase.SUCCEEDED]

    async def test_next_attempt(self, warm: World, sent: list[str]) -> None:
        tasks = await claimed(warm, 4, "one", "two")
        sent.clear()

        following = await asyncio.gather(*(complete(warm, task) for task in tasks))

        assert len(sent) == 4 + 5
        refs = {task.ref for task, _ in following if task is not None}
        assert refs == {warm.ref(task.ref.run_id, "two") for task in tasks}
        steps = await warm.rows("SELECT phase FROM headgate.workflow_execution_steps WHERE node = 'two'")
        assert [row["phase"] for row in steps] == ["Running"] * 4

    async def test_next_attempt_where_all_were_served_alone_after_all(self, warm: World) -> None:
        tasks = await claimed(warm, 4, "one", "two", onFailure="Continue")
        await warm.given_workspace(max_storage_mb=0, max_concurrent_runs=1_000)

        following = await asyncio.gather(*(complete(warm, task, outcome=LARGE) for task in tasks))

        refs = {task.ref for task, _ in following if task is not None}
        holders = await warm.rows("SELECT execution_id, node, holder FROM headgate.tasks")
        assert {(row["execution_id"], row["node"]) for row in holders if row["holder"] == "pod-1"} == {
            (ref.run_id, ref.node) for ref in refs
        }
        assert len(refs) == 4

    async def test_entry_in_the_audit_log(self, warm: World) -> None:
        ledger = Ledger(warm)
        requests = [warm.request(by=ALICE) for _ in range(MANY)]

        answers = await admitted(warm, requests)

        told = {entry.object for entry in await ledger.entries()}
        assert {f"run/{answer.run_id}" for answer in answers if isinstance(answer, Admitted)} <= told
        assert await ledger.finding() is None

    async def test_run_for_one_key(self, warm: World) -> None:
        request = warm.request()

        answers = await admitted(warm, [warm.request(), request, request, request])

        assert len({answer.run_id for answer in answers if isinstance(answer, Admitted)}) == 2
        assert Counter(answer.duplicate for answer in answers if isinstance(answer, Admitted)) == {False: 2, True: 2}


async def claimed(world: World, count: int, *nodes: str, **members: Any) -> list[RunnerTask]:
    """Attempts for runners that ``pod-1`` holds, of as many runs."""
    workflow, before = a_workflow("scripts"), "by-hand"
    for node in nodes or ("work",):
        workflow = workflow.with_node(
            node, {"script": {"language": "shell", "source": "true"}}, after=[before], **members
        )
        before = node
    await world.given(workflow)
    await runs(world, count, "scripts")
    tasks = []
    for _ in range(count):
        task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", None, "pod-1", LEASE)
        assert task is not None
        tasks.append(task)
    return tasks


async def complete(
    world: World, task: RunnerTask, holder: str = "pod-1", outcome: Outcome = DONE
) -> tuple[RunnerTask | None, Effects]:
    return await world.engine.runner_tasks.complete(task.ref, "acme", outcome, holder, LEASE, kinds=["script"])


class TestLimitsAreExact:
    async def test_of_runs_at_once(self, warm: World) -> None:
        await warm.given_workspace(max_concurrent_runs=1 + 3)

        found = await runs(warm)

        phases = Counter([await warm.phase(run) for run in found])
        assert phases == {RunPhase.RUNNING: 3, RunPhase.PENDING: MANY - 3}
        usage = await warm.usage()
        assert (usage["running"], usage["queued"]) == (4, MANY - 3)

    async def test_of_runs_a_day_that_are_refused(self, warm: World) -> None:
        await warm.given_workspace(max_executions_per_day=1 + 5, on_exceeded=OnExceeded.REJECT)

        answers = await admitted(warm, [warm.request() for _ in range(MANY)])

        reasons = [answer.reason for answer in answers if isinstance(answer, Refused)]
        assert reasons == ["DailyLimit"] * (MANY - 5)
        assert len(await warm.rows("SELECT FROM headgate.workflow_executions")) == 1 + 5
        assert len(await warm.rows("SELECT FROM headgate.execution_triggers")) == 1 + 5

    @pytest.mark.parametrize(("concurrency", "room"), [({"limit": 2}, 2), ({"mutex": "deploy"}, 1)], ids=str)
    async def test_of_a_workflow_itself(self, warm: World, concurrency: dict[str, Any], room: int) -> None:
        await warm.given(one_node("alone").with_spec(concurrency=concurrency))
        await warm.admit("nightly")
        requests = [warm.request("alone" if number % 2 else "nightly") for number in range(2 * MANY)]

        answers = await admitted(warm, requests)

        found = [answer.run_id for answer in answers if isinstance(answer, Admitted)]
        running = [await warm.phase(run) is RunPhase.RUNNING for run in found]
        assert (sum(running[0::2]), sum(running[1::2])) == (MANY, room)

    async def test_of_what_a_half_open_breaker_tries(self, warm: World) -> None:
        breaker = CircuitBreaker(failure_threshold=2, window="5m", cool_down="1m", half_open_runs=2)
        await warm.given_workspace(breaker=breaker, max_concurrent_runs=1_000)
        await ended(warm, await runs(warm, 2), FAILS)
        warm.clock.advance(minutes=2)

        found = await runs(warm)

        assert Counter([await warm.phase(run) for run in found]) == {RunPhase.RUNNING: 2, RunPhase.PENDING: MANY - 2}

    async def test_of_failures_that_open_the_breaker(self, warm: World, sent: list[str]) -> None:
        await warm.given_workspace(breaker=CircuitBreaker(failure_threshold=MANY), max_concurrent_runs=1_000)
        found = await runs(warm)
        sent.clear()

        effects = await ended(warm, found, FAILS)

        assert transactions(sent) == 2
        assert sum(bool(each.breakers) for each in effects) == 1
        [row] = await warm.rows("SELECT state FROM headgate.workspace_circuit_breakers")
        assert row["state"] == "Open"

    async def test_of_storage(self, warm: World) -> None:
        await warm.given_workspace(max_storage_mb=1, max_concurrent_runs=1_000)
        found = await runs(warm)
        await warm.rows("UPDATE headgate.workspace_usage SET storage_bytes = %s RETURNING 1", 1_000_000 - 5 * 4_000)

        await ended(warm, found, LARGE)

        nodes = [(await warm.view(run)).nodes[0] for run in found]
        assert Counter(node.phase for node in nodes) == {NodePhase.SUCCEEDED: 5, NodePhase.FAILED: MANY - 5}
        assert {node.reason for node in nodes if node.phase is NodePhase.FAILED} == {"StorageLimit"}
        assert (await warm.usage())["storage_bytes"] == 1_000_000


class TestNobodyHoldsUpOthers:
    async def test_one_whose_run_somebody_holds(self, warm: World) -> None:
        busy, *others = await runs(warm, 3)

        async with held(warm, busy):
            waiting = asyncio.create_task(warm.succeed(busy))
            await ended(warm, others)
            assert not waiting.done()

        await waiting
        assert {await warm.phase(run) for run in (busy, *others)} == {RunPhase.SUCCEEDED}

    async def test_one_whose_run_is_held_is_left_out_of_the_batch(self, warm: World) -> None:
        *alone, busy, other, another = await runs(warm, 4)

        async with held(warm, busy):
            tasks = {run: asyncio.create_task(warm.succeed(run)) for run in (*alone, busy, other, another)}
            waiting = tasks.pop(busy)
            await asyncio.gather(*tasks.values())
            assert not waiting.done()

        await waiting
        assert await warm.phase(busy) is RunPhase.SUCCEEDED

    async def test_two_ends_in_one_run_see_each_other(self, warm: World) -> None:
        branches = [f"b{number}" for number in range(MANY)]
        workflow = a_workflow("wide")
        for node in branches:
            workflow = workflow.with_node(node)
        await warm.given(workflow.with_node("join", after=branches))
        run = await warm.admit("wide")

        await asyncio.gather(*(warm.succeed(run, node) for node in branches))
        await warm.succeed(run, "join")

        assert await warm.phase(run) is RunPhase.SUCCEEDED

    async def test_who_went_away_while_waiting_has_no_run_and_the_others_theirs(self, warm: World) -> None:
        requests = [warm.request() for _ in range(4)]
        tasks = [asyncio.create_task(warm.engine.admit(request)) for request in requests]
        await asyncio.sleep(0)

        tasks[2].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)

        assert isinstance(found[2], asyncio.CancelledError)
        rows = await warm.rows("SELECT trigger_key FROM headgate.workflow_executions")
        kept = {row["trigger_key"] for row in rows}
        assert kept & {request.key for request in requests} == {requests[n].key for n in (0, 1, 3)}
