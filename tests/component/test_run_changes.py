"""The order in which changes are told: one that stays, whoever commits first."""

from __future__ import annotations

from uuid import UUID

import psycopg

from headgate.domain.change_position import Position
from headgate.engine.reading.run_changes import PAGE_SIZE, RunChange
from tests.component.world import World, one_node

LONG_AGO = """
    UPDATE headgate.run_changes SET changed_at = now() - interval '26 hours' WHERE execution_id = %s RETURNING 1
"""


async def followed(world: World, run: UUID | None = None, workspace: str = "acme") -> list[RunChange]:
    """All that is kept, page by page."""
    found: list[RunChange] = []
    position: Position | None = None
    while True:
        page = await world.engine.changes.since(world.ids[workspace], position, run)
        found += page.items
        position = page.position
        if not page.more:
            return found


async def test_what_a_transaction_under_way_began_before_is_not_overtaken(world: World) -> None:
    await world.given(one_node())
    slow, quick = await world.admit(), await world.admit()
    begun = (await world.engine.changes.present(world.ids["acme"])).position
    connection = await psycopg.AsyncConnection.connect(world.superuser_url)
    async with connection:
        await connection.execute(
            "UPDATE headgate.workflow_executions SET waiting_reason = 'Slow' WHERE id = %s", [slow]
        )
        await world.succeed(quick)
        held = await world.engine.changes.since(world.ids["acme"], begun)
        assert held.items == ()
        await connection.commit()

    after = await world.engine.changes.since(world.ids["acme"], held.position)
    assert [(change.run_id, change.phase) for change in after.items if change.node is None] == [
        (slow, "Running"),
        (quick, "Succeeded"),
    ]
    assert after.items == (await world.engine.changes.since(world.ids["acme"], begun)).items


async def test_what_was_rolled_back_was_never_told(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    connection = await psycopg.AsyncConnection.connect(world.superuser_url)
    async with connection:
        await connection.execute("UPDATE headgate.workflow_executions SET waiting_reason = 'No' WHERE id = %s", [run])
        await connection.rollback()

    assert {change.reason for change in await followed(world, run)} == {""}


async def test_pages_follow_each_other_also_within_one_transaction(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    connection = await psycopg.AsyncConnection.connect(world.superuser_url)
    async with connection:
        for number in range(PAGE_SIZE + 20):
            await connection.execute(
                "UPDATE headgate.workflow_executions SET waiting_reason = %s WHERE id = %s", [str(number), run]
            )

    changes = await followed(world, run)
    assert [change.reason for change in changes if change.node is None] == ["", *map(str, range(PAGE_SIZE + 20))]
    assert sorted({change.position for change in changes}) == [change.position for change in changes]


async def test_a_write_that_changes_nothing_is_no_change(world: World) -> None:
    await world.given(one_node())
    run = await world.admit()
    before = await followed(world)
    await world.rows("UPDATE headgate.workflow_executions SET priority = 7 WHERE id = %s RETURNING 1", run)
    await world.rows(
        "UPDATE headgate.workflow_execution_steps SET message = 'x' WHERE execution_id = %s RETURNING 1", run
    )

    assert await followed(world) == before


async def test_news_are_of_workspaces_in_which_something_changed_since(world: World) -> None:
    other = await world.given_workspace("other")
    await world.given(one_node())
    acme = world.ids["acme"]
    before = await world.engine.changes.news([acme, other], 0)
    await world.admit()

    after = await world.engine.changes.news([acme, other], before.settled)

    assert after.workspaces == {acme}
    assert (await world.engine.changes.news([acme, other], after.settled)).workspaces == frozenset()


async def test_changes_are_forgotten_after_a_day_and_an_hour(world: World) -> None:
    await world.given(one_node())
    old, new = await world.admit(), await world.admit()
    await world.rows(LONG_AGO, old)

    assert await world.engine.changes.forget() == 2
    assert {change.run_id for change in await followed(world)} == {new}
    assert await world.engine.changes.forget() == 0
