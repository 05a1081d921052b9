"""A kill before and after every single write: what is there in the end is always the same.

The writes are counted in a run without a kill, and then every one of them is cut in two ways. Not one is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from headgate.engine.types import Outcome
from tests.builders import WorkflowBuilder, a_workflow, container
from tests.component.replica import Fuse, Jobs, Killed, Replica, Script
from tests.component.world import World

FAILS = Outcome(succeeded=False, reason="ExitCode", message="exit code 3", exit_code=3)
ENDINGS = {
    "load/1": FAILS,
    "load/2": Outcome(succeeded=True, output={"rows": 7}),
    "broken/1": FAILS,
    **{f"each.{index}/1": Outcome(succeeded=True, output=index) for index in range(3)},
}
STEPS = """
    SELECT e.trigger_kind, e.status, e.outputs::text AS outputs, s.node, s.attempt, s.phase, s.reason, s.branch,
        s.output::text AS output
    FROM headgate.workflow_executions e
    JOIN headgate.workflow_execution_steps s ON s.execution_id = e.id
    WHERE e.workspace_id = %s
    ORDER BY e.trigger_kind, e.id, s.node, s.attempt
"""


def everything() -> WorkflowBuilder:
    """Parallel branches, a retry, a condition with both its sides, a list, a failure that is handled, a final node."""
    return (
        a_workflow("nightly")
        .with_node("load", retry={"limit": 1, "initialDelay": "0s"})
        .with_node("beside")
        .with_condition("enough", "nodes.load.output.rows > 1", after=["load"])
        .with_node("large", after=["enough"])
        .with_node("small", after=["enough:false"])
        .with_node(
            "each",
            after=["load"],
            forEach={"items": "[1, 2, 3]", "parallelism": 2},
            config=container(args=["${{ item }}"]),
        )
        .with_node("broken", after=["beside"], onFailure="Continue")
        .with_node("rescue", after=["broken:failed"])
        .with_node("tidy", after=["load"], final=True)
        .with_output("rows", "nodes.load.output.rows")
    )


@dataclass(frozen=True)
class Story:
    """What is left in the end."""

    recorded: list[tuple[object, ...]]
    """Every attempt of every node of every run."""
    worked: list[str]
    """The work that was done, as the Jobs tell it."""


async def tell(world: World, fuse: Fuse) -> Story:
    """The same story in a workspace of its own, by as many replicas as it takes."""
    name = f"w-{len(world.ids)}"
    world.clock.now = world.clock.now.replace(minute=59, second=40) + timedelta(hours=1)
    await world.given_workspace(name)
    await world.given(everything(), name)
    hourly = a_workflow("ticking").with_schedule("each-hour", "0 * * * *").with_node("tick", after=["each-hour"])
    await world.given(hourly, name)
    jobs, script = Jobs(), Script((world.request(workspace=name),), ENDINGS)
    try:
        await Replica(world, script, jobs, fuse).work()
    except Killed:
        await Replica(world, script, jobs, Fuse()).work()
    rows = await world.rows(STEPS, world.ids[name])
    await world.engine.workspaces.retire(name)
    return Story([tuple(row.values()) for row in rows], sorted(jobs.work))


async def test_a_kill_before_or_after_any_write_changes_nothing_in_the_end(world: World) -> None:
    world.expressions.values |= {
        "nodes.load.output.rows > 1": True,
        "[1, 2, 3]": [1, 2, 3],
        "item": lambda known: known["item"],
        "nodes.load.output.rows": lambda known: known["nodes"]["load"]["output"]["rows"],
    }
    whole = Fuse()
    expected = await tell(world, whole)
    assert {(row[0], row[1]) for row in expected.recorded} == {("resource", "Succeeded"), ("schedule", "Succeeded")}

    for after in (False, True):
        for number in range(1, whole.writes + 1):
            story = await tell(world, Fuse(at=number, after=after))
            assert story == expected, f"killed {'after' if after else 'before'} write {number} of {whole.writes}"
