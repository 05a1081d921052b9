"""What is counted of a workspace's storage is what it keeps, to the byte, whatever is done."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.step_log import log_path
from headgate.engine.types import Outcome, Refused
from headgate.store.records import size, to_json
from tests.component.archived import Archive
from tests.component.keeping import CASES, ODD, copied, given_values, of_all_kinds, waiting_and_cancelled, whole
from tests.component.kept import assert_exact, assert_pot_exact
from tests.component.world import World, one_node

MEGABYTE = 10**6


class TestExact:
    @pytest.mark.parametrize("pot", [None, "team"])
    @pytest.mark.parametrize("happens", CASES, ids=lambda case: case.__name__)
    async def test_what_is_counted_is_what_is_kept(
        self, world: World, happens: Callable[[World], Awaitable[None]], pot: str | None
    ) -> None:
        await world.given_workspace(pot=pot)
        given_values(world)
        await world.given(of_all_kinds())

        await happens(world)

        assert await assert_exact(world)
        if pot is not None:
            await assert_pot_exact(world, pot, "acme")

    async def test_what_the_archive_takes_is_given_back(self, world: World) -> None:
        given_values(world)
        archive = Archive(world)
        await world.given(of_all_kinds())
        run = await whole(world)
        await world.engine.logs.record(world.ref(run, "work"), log_path(world.ref(run, "work")), 70, truncated=False)
        await waiting_and_cancelled(world)
        await world.given_workspace()
        assert set(await assert_exact(world)) == {"inputs", "outputs of runs", "outputs of nodes", "logs"}

        await archive.round(days=91)
        assert await assert_exact(world) == {"logs of archived runs": 70}

        await archive.round(days=2555)
        assert await assert_exact(world) == {}

    async def test_what_a_workflow_kept_goes_with_it(self, world: World) -> None:
        given_values(world)
        await copied(world)
        await world.given(one_node("other", memoize={"key": "same"}))
        await world.succeed(await world.admit("other"), output=ODD)
        assert {"remembered", "cursors"} <= set(await assert_exact(world))

        await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")
        await world.engine.workflows.retire(world.ids["acme"], "acme", "other")

        assert {"remembered", "cursors"} & set(await assert_exact(world)) == set()

    async def test_nothing_is_remembered_for_a_workflow_that_is_gone(self, world: World) -> None:
        await world.given(one_node(memoize={"key": "same"}))
        run = await world.admit()
        await world.engine.workflows.retire(world.ids["acme"], "acme", "nightly")

        await world.succeed(run, output=ODD)

        assert set(await assert_exact(world)) == {"outputs of nodes"}

    @pytest.mark.parametrize("seed", range(4))
    async def test_whatever_happens_to_many_runs_in_whatever_order(self, world: World, seed: int) -> None:
        """With little room: a part of everything is refused, and every run comes to its end."""
        chance = random.Random(seed)
        await world.given_workspace(max_storage_mb=1, max_concurrent_runs=6)
        given_values(world)
        world.expressions.values["odd"] = ["y" * 30_000]
        await world.given(of_all_kinds())
        runs: list[UUID] = []
        for _ in range(60):
            await self.one_thing(world, chance, runs)
            await assert_exact(world)

        await world.given_workspace(max_concurrent_runs=1000, max_storage_mb=1)
        for run in runs:
            await world.engine.control.cancel(world.ids["acme"], run, "enough")
        assert {await world.phase(run) for run in runs} <= {RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED}
        await assert_exact(world)
        assert (await world.usage())["storage_bytes"] <= MEGABYTE

    async def one_thing(self, world: World, chance: random.Random, runs: list[UUID]) -> None:
        """A request, or something that happens to a run or to one of its attempts."""
        control, workspace = world.engine.control, world.ids["acme"]
        if not runs or chance.random() < 0.3:
            inputs = {"text": "x" * chance.choice([5, 60_000])}
            answer, _ = await world.engine.admit(world.request(inputs=inputs))
            if isinstance(answer, Refused):
                assert (answer.reason, "maxStorageMB" in answer.message) == ("StorageLimit", True)
            else:
                runs.append(answer.run_id)
            return
        run = chance.choice(runs)
        nodes = (await world.view(run)).nodes
        queued = [(node.id, node.attempt) for node in nodes if node.phase is NodePhase.QUEUED]
        match chance.choice(["end"] * 8 + ["cancel", "stop", "suspend", "resume", "retry"]):
            case "end" if queued:
                node, attempt = chance.choice(queued)
                failed = chance.random() < 0.3
                outcome = Outcome(not failed, ["z" * chance.choice([10, 4000])], reason="ExitCode" if failed else "")
                await world.engine.complete(world.ref(run, node, attempt), outcome)
            case "cancel":
                await control.cancel(workspace, run, "enough")
            case "stop":
                await control.stop(workspace, run, "enough")
            case "suspend":
                await control.suspend(workspace, run, "not now")
            case "resume":
                await control.resume(workspace, run)
            case "retry":
                await control.retry(workspace, run, (await world.view(run)).retries + 1)


NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.sampled_from(["1e5", "-0", "7E+2"]),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


async def test_a_value_takes_what_postgres_says_that_it_takes(world: World) -> None:
    """What fits is decided by one, and counted by the other."""

    values: list[Any] = [ODD, -0.0, 5e-324, 1.7976931348623157e308]

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(VALUES)
    def collect(value: Any) -> None:
        values.append(value)

    collect()
    values = [value for value in values if value is not None]
    rows = await world.rows(
        "SELECT headgate.json_bytes(value::jsonb) AS bytes FROM unnest(%s::text[]) WITH ORDINALITY AS v (value, n)"
        " ORDER BY n",
        [to_json(value) for value in values],
    )

    assert [row["bytes"] for row in rows] == [size(value) for value in values]
