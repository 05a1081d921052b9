"""Cursors of copies: kept for the node, of one attempt at a time, and moved by nobody who lost it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.domain.sync import Reached
from headgate.engine.sync.cursors import CursorBusy, CursorRefused
from headgate.engine.types import LeaseLost, Outcome, TaskRef
from tests.builders import a_workflow
from tests.component.copies import table
from tests.component.world import World

LEASE = timedelta(seconds=15)
BEGINNING, FURTHER = Reached(), Reached("[7]")


def sync(source: str = "orders", **members: Any) -> dict[str, Any]:
    copy = {"source": table(source, cursor=["id"]), "target": table("copy", key=["id"]), **members}
    return {"connector": {"sync": copy}}


async def held(world: World, config: dict[str, Any] | None = None, holder: str = "pod-1") -> TaskRef:
    """An attempt of a new run that the holder has."""
    await world.given(a_workflow().with_node("copy", config or sync(), retry={"limit": 2, "initialDelay": "0s"}))
    return await claimed(world, await world.admit(), holder)


async def claimed(world: World, run: UUID, holder: str = "pod-1") -> TaskRef:
    task, _ = await world.engine.runner_tasks.claim(world.ids["acme"], "acme", run, holder, LEASE)
    assert task is not None
    return task.ref


async def ended(world: World, ref: TaskRef, *, succeeded: bool = True) -> None:
    outcome = Outcome(succeeded, reason="" if succeeded else "SqlError")
    await world.engine.runner_tasks.complete(ref, "acme", outcome, "pod-1", LEASE, ())


async def test_the_next_run_and_the_next_attempt_go_on_where_the_last_one_was(world: World) -> None:
    cursors, first = world.engine.cursors, await held(world)
    assert await cursors.take(first, "pod-1") == BEGINNING
    await cursors.move(first, "pod-1", Reached("[3]", "[7]"), 0)
    await ended(world, first, succeeded=False)

    again = await claimed(world, first.run_id)
    assert (again.attempt, await cursors.take(again, "pod-1")) == (2, Reached("[3]", "[7]"))
    await cursors.move(again, "pod-1", FURTHER, 4)
    await ended(world, again)

    assert await cursors.take(await held(world), "pod-1") == FURTHER
    assert await world.rows("SELECT batches, records FROM headgate.sync_cursors") == [{"batches": 2, "records": 4}]


async def test_another_source_or_target_begins_anew_and_another_batch_does_not(world: World) -> None:
    cursors, first = world.engine.cursors, await held(world)
    await cursors.take(first, "pod-1")
    await cursors.move(first, "pod-1", FURTHER, 4)
    await ended(world, first)

    second = await held(world, sync(batch=7))
    assert await cursors.take(second, "pod-1") == FURTHER
    await ended(world, second)
    assert await cursors.take(await held(world, sync("others")), "pod-1") == BEGINNING


async def test_while_one_run_copies_another_is_refused_and_takes_over_when_its_lease_is_over(world: World) -> None:
    cursors, first = world.engine.cursors, await held(world)
    await cursors.take(first, "pod-1")
    second = await held(world, holder="pod-2")

    with pytest.raises(CursorBusy, match="another run copies for node copy right now"):
        await cursors.take(second, "pod-2")
    assert await cursors.take(first, "pod-1") == BEGINNING
    world.clock.advance(seconds=10)
    await world.engine.runner_tasks.heartbeat(second, "pod-2", LEASE)
    world.clock.advance(seconds=5)
    assert await cursors.take(second, "pod-2") == BEGINNING
    with pytest.raises(LeaseLost):
        await cursors.move(first, "pod-1", FURTHER, 1)
    await cursors.move(second, "pod-2", FURTHER, 1)


async def test_whoever_lost_the_attempt_can_neither_read_nor_move(world: World) -> None:
    cursors, ref = world.engine.cursors, await held(world)
    await cursors.take(ref, "pod-1")
    world.clock.advance(seconds=15)
    assert await claimed(world, ref.run_id, "pod-2") == ref

    with pytest.raises(LeaseLost):
        await cursors.take(ref, "pod-1")
    with pytest.raises(LeaseLost):
        await cursors.move(ref, "pod-1", FURTHER, 1)
    assert await cursors.take(ref, "pod-2") == BEGINNING


async def test_a_node_that_copies_nothing_has_no_cursor(world: World) -> None:
    ref = await held(world, {"script": {"language": "shell", "source": "true"}})

    with pytest.raises(CursorRefused, match="node copy copies nothing"):
        await world.engine.cursors.take(ref, "pod-1")


async def test_each_item_of_a_list_has_a_cursor_of_its_own(world: World) -> None:
    world.expressions.values["[1, 2]"] = [1, 2]
    await world.given(a_workflow().with_node("copy", sync(), forEach={"items": "[1, 2]"}))
    run = await world.admit()
    refs = [await claimed(world, run) for _ in range(2)]

    for index, ref in enumerate(refs):
        assert await world.engine.cursors.take(ref, "pod-1") == BEGINNING
        await world.engine.cursors.move(ref, "pod-1", Reached(f"[{index}]"), 1)

    rows = await world.rows("SELECT node, reached FROM headgate.sync_cursors ORDER BY node")
    assert [row["node"] for row in rows] == sorted(ref.node for ref in refs)


async def test_where_a_secret_is_named_the_attempt_is_for_a_runner_that_has_it(world: World) -> None:
    credential = {"credentialKeyRef": {"name": "db", "key": "dsn"}}
    slack = {"connector": {"slack": {"url": credential, "text": "hello"}}}
    mixed = {
        "connector": {
            "smtp": {
                "host": "h.example",
                "password": {"secretKeyRef": {"name": "m", "key": "k"}},
                "username": "u",
                "sender": "a@b.c",
                "to": ["a@b.c"],
                "subject": "s",
                "text": "t",
            }
        }
    }
    await world.given(a_workflow().with_node("copy", sync()).with_node("tell", slack).with_node("mail", mixed))
    await world.admit()

    rows = await world.rows("SELECT node, needs_secrets FROM headgate.tasks ORDER BY node")

    assert [(row["node"], row["needs_secrets"]) for row in rows] == [("copy", True), ("mail", True), ("tell", False)]
    open_tasks = await world.engine.runner_tasks.open()
    assert {task.kind for task in open_tasks} == {"connector"}


async def test_a_workflow_that_is_deleted_takes_its_cursors_with_it(world: World) -> None:
    cursors, ref = world.engine.cursors, await held(world)
    await cursors.take(ref, "pod-1")

    await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")

    assert await world.rows("SELECT 1 FROM headgate.sync_cursors") == []
    with pytest.raises(LeaseLost):
        await cursors.move(ref, "pod-1", FURTHER, 1)
    with pytest.raises(CursorBusy, match="or the workflow was deleted"):
        await cursors.take(ref, "pod-1")
