"""What the use cases cost: statements besides BEGIN and COMMIT. docs/design/0003 gives the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from headgate.engine.types import Outcome, RunFilter, Waiting
from headgate.store.database import Database
from tests.builders import a_workflow, container
from tests.component.world import World, one_node


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are sent to Postgres."""
    sent: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", count)


@pytest.fixture
async def warm(world: World) -> World:
    """A world whose engine has read the definitions, as one that has run for a second has."""
    world.expressions.values["nodes.a.output.n"] = 1
    chain = a_workflow("chain").with_node("a").with_node("b", after=["a"])
    templates = a_workflow("templates").with_node("a")
    await world.given(one_node(retry={"limit": 1}))
    await world.given(chain)
    await world.given(templates.with_node("b", container(args=["${{ nodes.a.output.n }}"]), after=["a"]))
    for workflow in ("nightly", "chain", "templates"):
        await world.admit(workflow)
    return world


async def test_admitting_a_run_takes_three_statements(warm: World, database: Database) -> None:
    with counted(database) as sent:
        await warm.admit()
    assert len(sent) == 3


async def test_a_repeated_request_takes_two(warm: World, database: Database) -> None:
    request = warm.request()
    await warm.engine.admit(request)
    with counted(database) as sent:
        await warm.engine.admit(request)
    assert len(sent) == 2


async def test_claiming_and_recording_take_two_each_however_many_attempts(warm: World, database: Database) -> None:
    for _ in range(10):
        await warm.admit()
    with counted(database) as sent:
        tasks = await warm.claim()
        await warm.engine.record_jobs([(task.ref, "uid") for task in tasks])
    assert len(tasks) == 13
    assert len(sent) == 4


async def test_completing_a_step_takes_three(warm: World, database: Database) -> None:
    run = await warm.admit("chain")
    with counted(database) as sent:
        await warm.succeed(run, "a")
    assert len(sent) == 3


async def test_completing_a_step_whose_successor_reads_outputs_takes_four(warm: World, database: Database) -> None:
    run = await warm.admit("templates")
    with counted(database) as sent:
        await warm.succeed(run, "a", {"n": 1})
    assert len(sent) == 4


async def test_completing_the_last_step_takes_four(warm: World, database: Database) -> None:
    run = await warm.admit()
    with counted(database) as sent:
        await warm.succeed(run, "work")
    assert len(sent) == 4


async def test_completing_for_a_retry_takes_three_and_again_for_nothing_two(warm: World, database: Database) -> None:
    run = await warm.admit()
    with counted(database) as sent:
        await warm.fail(run, "work")
    assert len(sent) == 3
    with counted(database) as sent:
        await warm.fail(run, "work")
    assert len(sent) == 2


async def test_reports_about_an_attempt_take_two(warm: World, database: Database) -> None:
    run = await warm.admit()
    with counted(database) as sent:
        await warm.engine.record_waiting(warm.ref(run, "work"), Waiting("ImagePull"))
        await warm.engine.mark_running(warm.ref(run, "work"), warm.clock.now)
    assert len(sent) == 4


async def test_cancelling_a_run_takes_three_and_a_look_at_who_waits_two(warm: World, database: Database) -> None:
    run = await warm.admit()
    with counted(database) as sent:
        await warm.engine.cancel_run(warm.ids["acme"], run, "no")
    assert len(sent) == 3 + 2


async def test_what_is_unchanged_takes_two(warm: World, database: Database) -> None:
    with counted(database) as sent:
        await warm.given_workspace()
        await warm.given(one_node(retry={"limit": 1}))
    assert len(sent) == 4


async def test_reading_takes_two(warm: World, database: Database) -> None:
    run = await warm.admit()
    with counted(database) as sent:
        await warm.view(run)
        await warm.engine.list_runs(warm.ids["acme"], RunFilter())
    assert len(sent) == 4


async def test_a_whole_run_of_one_node_takes_eleven_in_four_transactions(warm: World, database: Database) -> None:
    await warm.claim()
    with counted(database) as sent:
        run = await warm.admit()
        [task] = await warm.claim()
        await warm.engine.record_jobs([(task.ref, "uid")])
        await warm.engine.complete(task.ref, Outcome(True))
    assert len(sent) == 3 + 2 + 2 + 4
    assert (await warm.view(run)).phase.is_final


async def test_firing_when_nothing_is_due_takes_three(warm: World, database: Database) -> None:
    with counted(database) as sent:
        await warm.engine.fire_due(warm.clock.now)
    assert len(sent) == 3
