"""What a request to the API costs in messages to Postgres. docs/design/0015 gives the same numbers."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from headgate.api.members import Role
from headgate.domain.step_log import log_path
from tests.component.api_client import Api
from tests.component.leaving import left_by_a_run
from tests.component.world import World, one_node

TRANSACTION = 3
"""Messages of the smallest transaction: its beginning, one statement, its end."""
AUDITED = 1
"""What it takes to have something in the audit log, in the transaction that does it."""
ONE_STATEMENT = 2
"""Of a transaction of one statement, which are sent together: for one round trip."""
COUNTING = ONE_STATEMENT
"""What it takes to count a call without Redis."""


@pytest.fixture
async def run(world: World, api: Api) -> str:
    """A run that was started by a key that was used."""
    await world.given(one_node())
    return str((await api.start())["id"])


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/runs",
        "/runs?label=team=shop&label=kind=report",
        "/workflows",
        "/workflows/acme/nightly/versions",
        "/usage",
        "/credentials",
    ],
)
async def test_reading_takes_one_transaction(api: Api, run: str, sent: list[str], path: str) -> None:
    sent.clear()
    await api.get(path.replace("RUN", run))
    assert len(sent) == COUNTING + TRANSACTION


async def test_reading_a_run_takes_one_statement_sent_with_what_it_needs(api: Api, run: str, sent: list[str]) -> None:
    sent.clear()
    await api.get(f"/runs/{run}")
    assert len(sent) == COUNTING + ONE_STATEMENT


async def test_files_of_a_run_take_one_for_the_run_and_one_for_the_rows(
    world: World, api: Api, sent: list[str]
) -> None:
    """One more where there are none, for whether the run is in the archive. docs/design/0037 gives the same numbers."""
    left, none = await left_by_a_run(world, api.objects, a=b"x"), (await api.start())["id"]

    async def counted(path: str) -> int:
        sent.clear()
        assert (await api.call("GET", path)).status_code == 200
        return len(sent) - COUNTING

    assert await counted("/usage") == TRANSACTION
    assert await counted(f"/runs/{left}/artifacts") == ONE_STATEMENT + TRANSACTION
    assert await counted(f"/runs/{left}/artifacts/work/a") == ONE_STATEMENT + TRANSACTION
    assert await counted(f"/runs/{none}/artifacts") == ONE_STATEMENT + 2 * TRANSACTION


async def test_a_page_of_the_audit_log_that_is_not_full_looks_for_the_archive(
    api: Api, run: str, sent: list[str]
) -> None:
    sent.clear()
    await api.get("/audit?limit=1")
    assert len(sent) == COUNTING + TRANSACTION
    sent.clear()
    await api.get("/audit")
    assert len(sent) == COUNTING + TRANSACTION + 1


@pytest.mark.parametrize("path", ["/analytics", "/cost?by=workflow", "/cost?by=label&label=team"])
async def test_looking_at_days_takes_a_statement_more(api: Api, run: str, sent: list[str], path: str) -> None:
    sent.clear()
    await api.get(path)
    assert len(sent) == COUNTING + TRANSACTION + 1


async def test_looking_at_a_workflows_days_takes_two_more(api: Api, run: str, sent: list[str]) -> None:
    sent.clear()
    await api.get("/analytics?workflow=nightly")
    assert len(sent) == COUNTING + TRANSACTION + 2


async def test_a_key_takes_one_more_once_in_half_a_second(api: Api, run: str, sent: list[str]) -> None:
    api.ticking.seconds += 1
    sent.clear()
    for _ in range(3):
        await api.get("/runs")
    assert len(sent) == 3 * (COUNTING + TRANSACTION) + TRANSACTION


async def test_once_a_minute_its_use_is_one_statement_more(api: Api, run: str, sent: list[str]) -> None:
    api.ticking.seconds += 61
    api.world.clock.advance(seconds=61)
    sent.clear()
    await api.get("/runs")
    assert len(sent) == COUNTING + TRANSACTION + TRANSACTION + 1


async def test_a_credential_that_cannot_be_good_takes_nothing(api: Api, run: str, sent: list[str]) -> None:
    sent.clear()
    for token in ("", "x", "hg_x", api.token[:-1]):
        assert (await api.call("GET", "/runs", token=token)).status_code == 401
    assert sent == []


async def test_calls_that_come_at_once_are_counted_at_once(world: World, api: Api, run: str, sent: list[str]) -> None:
    sent.clear()
    await asyncio.gather(*(api.limits.take(world.ids["acme"], "alice") for _ in range(100)))
    # The first alone, and those that came meanwhile together.
    assert len(sent) <= 2 * COUNTING


async def test_starting_takes_the_admission_and_no_look_at_the_run(api: Api, run: str, sent: list[str]) -> None:
    sent.clear()
    await api.start()
    assert len(sent) == COUNTING + TRANSACTION + 1 + AUDITED


async def test_a_run_that_waits_is_looked_at(world: World, api: Api, run: str, sent: list[str]) -> None:
    await world.given_workspace(max_concurrent_runs=1)
    sent.clear()
    assert (await api.start())["phase"] == "Pending"
    assert len(sent) == COUNTING + TRANSACTION + 1 + AUDITED + ONE_STATEMENT


async def test_steering_takes_a_look_before_and_after(world: World, api: Api, run: str, sent: list[str]) -> None:
    sent.clear()
    await api.post(f"/runs/{run}/suspend")
    assert len(sent) == COUNTING + ONE_STATEMENT + 4 + AUDITED + ONE_STATEMENT


async def test_what_is_refused_takes_a_transaction_for_the_audit_log_a_few_times_a_minute(
    api: Api, run: str, sent: list[str]
) -> None:
    viewer = (await api.issue(role=Role.VIEWER)).text
    await api.call("GET", "/runs", token=viewer)
    for entries in (1, 1, 1, 1, 1, 0, 0):
        sent.clear()
        assert (await api.call("GET", "/keys", token=viewer)).status_code == 403
        assert len(sent) == COUNTING + entries * TRANSACTION


async def test_the_list_of_workspaces_takes_one_transaction(api: Api, run: str, sent: list[str]) -> None:
    sent.clear()
    assert (await api.request("GET", "/api/v1/workspaces")).status_code == 200
    assert len(sent) == COUNTING + TRANSACTION


async def test_a_log_takes_a_look_at_the_run_and_one_at_where_it_lies(api: Api, run: str, sent: list[str]) -> None:
    ref = api.world.ref(UUID(run), "work")
    await api.objects.put(log_path(ref), b"done")
    await api.world.engine.logs.record(ref, log_path(ref), 4, truncated=False)
    sent.clear()
    assert (await api.call("GET", f"/runs/{run}/steps/work/log")).content == b"done"
    assert len(sent) == COUNTING + ONE_STATEMENT + TRANSACTION


async def test_a_stream_takes_a_look_at_the_run_and_one_at_its_changes(
    world: World, api: Api, run: str, sent: list[str]
) -> None:
    await world.succeed(UUID(run))
    sent.clear()
    assert (await api.call("GET", f"/runs/{run}/events")).status_code == 200
    assert len(sent) == COUNTING + ONE_STATEMENT + TRANSACTION
