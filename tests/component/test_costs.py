"""What the use cases cost in round trips to Postgres. docs/design/0003 gives the same numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from headgate.domain.search import SearchKind
from headgate.domain.sync import CursorName, Reached
from headgate.engine.types import Outcome, RunFilter, Waiting
from tests.builders import a_workflow, container
from tests.component.copies import given_cursor, table
from tests.component.ledger import ALICE, SIGNING
from tests.component.priced import ONE_CPU, priced
from tests.component.vault import BOTH, Vault
from tests.component.world import World, one_node


@contextmanager
def counted(sent: list[str]) -> Iterator[list[str]]:
    """What is sent meanwhile."""
    sent.clear()
    yield sent


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


async def test_admitting_a_run_takes_four_round_trips(warm: World, sent: list[str]) -> None:
    with counted(sent):
        await warm.admit()
    assert len(sent) == 4


async def test_who_starts_a_run_is_one_more_and_by_whom_it_is_cancelled_too(warm: World, sent: list[str]) -> None:
    with counted(sent):
        run = await warm.admit(by=ALICE)
    assert len(sent) == 4 + 1
    with counted(sent):
        await warm.engine.control.cancel(warm.ids["acme"], run, "no", ALICE)
    assert len(sent) == 4 + 1 + 3


async def test_signing_takes_five_however_many_workspaces_changed_and_three_where_none_did(
    warm: World, sent: list[str]
) -> None:
    for number in range(3):
        await warm.given_workspace(f"w-{number}")
    with counted(sent):
        assert await warm.engine.audit.sign(SIGNING) == 4
    assert len(sent) == 5
    with counted(sent):
        assert await warm.engine.audit.sign(SIGNING) == 0
    assert len(sent) == 3


async def test_a_repeated_request_takes_three(warm: World, sent: list[str]) -> None:
    request = warm.request()
    await warm.engine.admit(request)
    with counted(sent):
        await warm.engine.admit(request)
    assert len(sent) == 3


async def test_claiming_and_recording_take_three_each_however_many_attempts(warm: World, sent: list[str]) -> None:
    for _ in range(10):
        await warm.admit()
    with counted(sent):
        tasks = await warm.claim()
        await warm.engine.record_jobs([(task.ref, "uid") for task in tasks])
    assert len(tasks) == 13
    assert len(sent) == 6


async def test_completing_a_step_takes_four(warm: World, sent: list[str]) -> None:
    run = await warm.admit("chain")
    with counted(sent):
        await warm.succeed(run, "a")
    assert len(sent) == 4


async def test_completing_a_step_whose_successor_reads_outputs_takes_five(warm: World, sent: list[str]) -> None:
    run = await warm.admit("templates")
    with counted(sent):
        await warm.succeed(run, "a", {"n": 1})
    assert len(sent) == 5


async def test_completing_the_last_step_takes_four(warm: World, sent: list[str]) -> None:
    run = await warm.admit()
    with counted(sent):
        await warm.succeed(run, "work")
    assert len(sent) == 4


async def test_completing_for_a_retry_takes_four_and_again_for_nothing_three(warm: World, sent: list[str]) -> None:
    run = await warm.admit()
    with counted(sent):
        await warm.fail(run, "work")
    assert len(sent) == 4
    with counted(sent):
        await warm.fail(run, "work")
    assert len(sent) == 3


async def test_an_attempt_for_a_runner_takes_three_and_its_end_with_the_next_one_four(
    warm: World, sent: list[str]
) -> None:
    script = {"script": {"language": "shell", "source": "true"}}
    await warm.given(a_workflow("scripts").with_node("a", script).with_node("b", script, after=["a"]))
    run, acme, lease = await warm.admit("scripts"), warm.ids["acme"], timedelta(seconds=15)
    with counted(sent):
        task, _ = await warm.engine.runner_tasks.claim(acme, "acme", run, "pod-1", lease)
    assert len(sent) == 3
    assert task is not None
    with counted(sent):
        following, _ = await warm.engine.runner_tasks.complete(task.ref, "acme", Outcome(True), "pod-1", lease)
    assert following is not None
    assert len(sent) == 4


async def test_reports_about_an_attempt_take_three(warm: World, sent: list[str]) -> None:
    run = await warm.admit()
    with counted(sent):
        await warm.engine.record_waiting(warm.ref(run, "work"), Waiting("ImagePull"))
        await warm.engine.mark_running(warm.ref(run, "work"), warm.clock.now)
    assert len(sent) == 6


async def test_cancelling_a_run_takes_four_and_a_look_at_who_waits_three(warm: World, sent: list[str]) -> None:
    run = await warm.admit()
    with counted(sent):
        await warm.engine.control.cancel(warm.ids["acme"], run, "no")
    assert len(sent) == 4 + 3


async def test_what_is_unchanged_takes_three(warm: World, sent: list[str]) -> None:
    with counted(sent):
        await warm.given_workspace()
        await warm.given(one_node(retry={"limit": 1}))
    assert len(sent) == 6


async def test_reading_a_run_takes_two_sent_together_and_a_list_three(warm: World, sent: list[str]) -> None:
    run = await warm.admit()
    with counted(sent):
        await warm.view(run)
        await warm.engine.list_runs(warm.ids["acme"], RunFilter())
    assert len(sent) == 2 + 3


async def test_a_heartbeat_takes_two_sent_together(warm: World, sent: list[str]) -> None:
    script = {"script": {"language": "shell", "source": "true"}}
    await warm.given(a_workflow("scripts").with_node("a", script))
    run, acme, lease = await warm.admit("scripts"), warm.ids["acme"], timedelta(seconds=15)
    task, _ = await warm.engine.runner_tasks.claim(acme, "acme", run, "pod-1", lease)
    assert task is not None
    with counted(sent):
        await warm.engine.runner_tasks.heartbeat(task.ref, "pod-1", lease)
    assert len(sent) == 2


async def test_a_whole_run_of_one_node_takes_fourteen_in_four_transactions(warm: World, sent: list[str]) -> None:
    await warm.claim()
    with counted(sent):
        run = await warm.admit()
        [task] = await warm.claim()
        await warm.engine.record_jobs([(task.ref, "uid")])
        await warm.engine.complete(task.ref, Outcome(True))
    assert len(sent) == 4 + 3 + 3 + 4
    assert (await warm.view(run)).phase.is_final


async def test_a_priced_run_costs_no_round_trip_more(warm: World, sent: list[str]) -> None:
    priced(warm)
    run = await warm.admit()
    with counted(sent):
        await warm.engine.mark_running(warm.ref(run, "work"), warm.clock.now, ONE_CPU)
        warm.clock.advance(seconds=1)
        await warm.succeed(run, "work")
    assert len(sent) == 3 + 4
    assert (await warm.view(run)).cost is not None


async def test_adding_up_takes_three_however_much_it_is(warm: World, sent: list[str]) -> None:
    for _ in range(5):
        await warm.succeed(await warm.admit(), "work")
    with counted(sent):
        await warm.engine.analytics.fold()
    assert len(sent) == 3


async def test_firing_when_nothing_is_due_takes_four(warm: World, sent: list[str]) -> None:
    with counted(sent):
        await warm.engine.fire_due(warm.clock.now)
    assert len(sent) == 4


async def test_looking_for_endings_and_calls_takes_three(warm: World, sent: list[str]) -> None:
    with counted(sent):
        await warm.engine.chain_runs(warm.clock.now)
    assert len(sent) == 3


async def test_a_run_that_others_listen_to_ends_in_as_many_as_any_other(warm: World, sent: list[str]) -> None:
    await warm.given(
        a_workflow("after").with_trigger("end", {"event": {"workflow": "nightly"}}).with_node("work", after=["end"])
    )
    run = await warm.admit()
    with counted(sent):
        await warm.succeed(run, "work")
    assert len(sent) == 4


async def test_acting_on_an_ending_takes_six_and_three_and_what_it_sets_off(warm: World, sent: list[str]) -> None:
    after = a_workflow("after").with_trigger("end", {"event": {"workflow": "nightly"}})
    await warm.given(after.with_node("work", after=["end", "by-hand"]))
    await warm.admit("after")
    await warm.succeed(await warm.admit(), "work")
    with counted(sent):
        await warm.engine.chain_runs(warm.clock.advance(seconds=1))
    assert len(sent) == 3 + 3 + 3 + 3 + 4


async def test_making_a_call_takes_six_and_six(warm: World, sent: list[str]) -> None:
    await warm.given(a_workflow("caller").with_node("call", {"workflow": {"name": "nightly"}}))
    await warm.admit("caller")
    with counted(sent):
        await warm.engine.chain_runs(warm.clock.advance(seconds=1))
    assert len(sent) == 3 + 3 + 3 + 6


async def test_taking_and_moving_the_cursor_of_a_copy_take_four_each(warm: World, sent: list[str]) -> None:
    sync = {"source": table("orders", cursor=["id"]), "target": table("copy", key=["id"])}
    await warm.given(a_workflow("copying").with_node("copy", {"connector": {"sync": sync}}))
    run, lease = await warm.admit("copying"), timedelta(seconds=15)
    task, _ = await warm.engine.runner_tasks.claim(warm.ids["acme"], "acme", run, "pod-1", lease)
    assert task is not None

    with counted(sent):
        await warm.engine.cursors.take(task.ref, "pod-1")
    assert len(sent) == 4
    with counted(sent):
        await warm.engine.cursors.move(task.ref, "pod-1", Reached("[7]"), 7)
    assert len(sent) == 4


async def test_resetting_a_cursor_takes_five_and_one_for_its_entry(warm: World, sent: list[str]) -> None:
    await given_cursor(warm, "copy")
    with counted(sent):
        await warm.engine.cursors.reset(warm.ids["acme"], CursorName("acme", "nightly", "copy"), ALICE)
    assert len(sent) == 5 + 1


async def test_what_credentials_cost_and_their_keys(warm: World, sent: list[str]) -> None:
    vault = Vault(warm)
    acme = warm.ids["acme"]
    costs: dict[str, int] = {}
    uses: dict[str, Callable[[], Awaitable[Any]]] = {
        "the first": vault.put,
        "put": vault.put,
        "list": lambda: vault.credentials.list(acme),
        "rotate": lambda: vault.credentials.rotate_data_key(acme),
        "rewrap": vault.held_by(BOTH).rewrap,
        "nothing to rewrap": vault.held_by(BOTH).rewrap,
        "delete": lambda: vault.credentials.delete(acme, "bank"),
    }
    for what, use in uses.items():
        with counted(sent):
            await use()
        costs[what] = len(sent)
    ref = await vault.given_attempt("shop")
    with counted(sent):
        await vault.released(ref, "shop", by=vault.held_by(BOTH))

    # The last before the end is the entry of the audit log.
    assert len(sent) == 5
    assert costs == {
        "the first": 5,
        "put": 4,
        "list": 3,
        # A new key, a batch of 50, and a look that finds no more.
        "rotate": 4 + 5 + 4,
        # A look, and four for each workspace with one data key.
        "rewrap": 3 + 4,
        "nothing to rewrap": 3,
        "delete": 3,
    }


async def test_a_search_takes_six_and_three_where_nothing_is_found(warm: World, sent: list[str]) -> None:
    for query, messages in (("nightly", 6), ("nothing", 3)):
        with counted(sent):
            await warm.engine.search.find(warm.ids["acme"], SearchKind.WORKFLOW, query)
        assert len(sent) == messages
