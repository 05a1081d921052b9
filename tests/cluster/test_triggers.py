"""Runs that set off others, on real pods: the end of a run, a call, and inputs that must fit a schema."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hack.kube import Kube
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, WORKFLOW_RUNS, WORKFLOWS
from tests.builders import WorkflowBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, condition, is_ready, not_ready_because, unique
from tests.support.shell import HELD, lasting, let_go, shell
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A Workspace that is ready, with a namespace of its own name."""
    name = unique("triggers")
    await cluster.apply(a_quota(name))
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


def counting(cluster: Cluster, acme: str, first: str = "true") -> WorkflowBuilder:
    """The workflow ``count``, whose runs give twice the ``rows`` that they are given."""
    script = f"{first}; " + """echo '{"rows": '$((ROWS * 2))'}' > $HEADGATE_OUTPUT"""
    rows = [{"name": "ROWS", "value": "${{ inputs.rows }}"}]
    return (
        a_workflow("count", acme)
        .with_input("rows", default=1, schema={"type": "integer", "minimum": 0})
        .with_node("work", shell(cluster, script, env=rows), after=["by-hand"])
        .with_spec(outputs=[{"name": "rows", "expression": "nodes.work.output.rows"}])
    )


async def jobs_of(cluster: Cluster, acme: str, workflow: str) -> list[Object]:
    return await cluster.list(JOBS, acme, f"headgate.dev/workflow={workflow}")


async def ready(cluster: Cluster, acme: str, *workflows: WorkflowBuilder) -> None:
    """Apply workflows and wait until they are accepted."""
    await cluster.apply(*workflows)
    for workflow in workflows:
        name = workflow.manifest()["metadata"]["name"]
        await cluster.until(WORKFLOWS, name, acme, is_ready)


async def test_the_end_of_a_run_starts_another_once_with_what_it_gave(cluster: Cluster, acme: str) -> None:
    report = (
        a_workflow("report", acme)
        .with_trigger("counted", {"event": {"workflow": "count"}})
        .with_node(
            "work",
            shell(cluster, 'test "$ROWS" = 14', env=[{"name": "ROWS", "value": "${{ event.outputs.rows }}"}]),
            after=["counted"],
        )
    )
    last = (
        a_workflow("last", acme)
        .with_trigger("reported", {"event": {"workflow": "report", "phases": ["Succeeded", "Failed"]}})
        .with_node("work", shell(cluster, "true"), after=["reported"])
    )
    await ready(cluster, acme, counting(cluster, acme), report, last)

    await cluster.apply(a_run("seven", acme, "count").with_inputs(rows=7))

    assert (await cluster.finished("seven", acme))["status"]["outputs"] == {"rows": 14}

    async def reported() -> list[Object]:
        return [job for job in await jobs_of(cluster, acme, "last") if job.get("status", {}).get("succeeded")]

    [job] = await eventually(reported, what="the run that the end of the report starts")
    assert len(await jobs_of(cluster, acme, "report")) == 1
    assert len(await jobs_of(cluster, acme, "last")) == 1
    assert job["metadata"]["labels"]["headgate.dev/attempt"] == "1"
    [done] = await jobs_of(cluster, acme, "report")
    assert done["status"].get("succeeded") == 1, "it has the outputs of the run that ended"


async def test_a_node_calls_another_workflow_and_has_its_outputs(cluster: Cluster, kube: Kube, acme: str) -> None:
    caller = (
        a_workflow("caller", acme)
        .with_node("call", {"workflow": {"name": "count", "inputs": {"rows": 21}}}, after=["by-hand"])
        .with_node(
            "check",
            shell(cluster, 'test "$ROWS" = 42', env=[{"name": "ROWS", "value": "${{ nodes.call.output.rows }}"}]),
            after=["call"],
        )
    )
    await ready(cluster, acme, counting(cluster, acme, HELD), caller)

    await cluster.apply(a_run("calls", acme, "caller"))

    waits = await cluster.until(WORKFLOW_RUNS, "calls", acme, lambda run: run.get("status", {}).get("waitingFor"))
    assert [item["reason"] for item in waits["status"]["waitingFor"]] == ["CalledRun"]
    await let_go(cluster, kube, acme, "headgate.dev/workflow=count")
    done = await cluster.finished("calls", acme)
    assert done["status"]["phase"] == "Succeeded"
    assert len(await jobs_of(cluster, acme, "count")) == 1


async def test_cancelling_the_caller_ends_the_job_of_what_it_called(cluster: Cluster, acme: str) -> None:
    long = a_workflow("long", acme).with_node("sleep", shell(cluster, lasting(600)), after=["by-hand"])
    caller = a_workflow("caller", acme).with_node("call", {"workflow": {"name": "long"}}, after=["by-hand"])
    await ready(cluster, acme, long, caller)
    await cluster.apply(a_run("calls", acme, "caller"))

    async def sleeping() -> bool:
        return bool(await jobs_of(cluster, acme, "long"))

    await eventually(sleeping, what="the Job of the run that was called")
    await cluster.kube.merge_patch(WORKFLOW_RUNS, "calls", acme, {"spec": {"cancel": True}})

    assert (await cluster.finished("calls", acme))["status"]["phase"] == "Cancelled"

    async def gone() -> bool:
        return not await jobs_of(cluster, acme, "long")

    await eventually(gone, what="the end of the Job")


async def test_inputs_and_triggers_that_cannot_work_are_told(cluster: Cluster, acme: str) -> None:
    await ready(cluster, acme, counting(cluster, acme))
    await cluster.apply(a_run("minus", acme, "count").with_inputs(rows=-1))
    refused = await cluster.finished("minus", acme)
    assert condition(refused, "Ready")["reason"] == "InvalidInputs"
    assert "input 'rows': the value is less than the minimum of 0" in condition(refused, "Ready")["message"]

    await cluster.apply(a_workflow("self", acme).with_trigger("end", {"event": {"workflow": "self"}}))
    await cluster.until(WORKFLOWS, "self", acme, not_ready_because("InvalidTrigger"))
    await cluster.apply(a_workflow("reference", acme).with_input("day", schema={"$ref": "#"}))
    await cluster.until(WORKFLOWS, "reference", acme, not_ready_because("InvalidInputSchema"))
