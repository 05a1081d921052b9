"""Postgres that is not there, goes away, comes back, or is not migrated: tenants are kept, and no run is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, WORKFLOW_RUNS, WORKFLOWS, WORKSPACES
from headgate.desired.job import WORKFLOW_LABEL
from headgate.desired.keys import LIMIT_RANGE, NETWORK_POLICY, RESOURCE_QUOTA, ROLE_BINDING, SERVICE_ACCOUNT
from headgate.desired.manifest import WORKSPACE_LABEL
from headgate.store import migrate
from tests.builders import RunBuilder, WorkflowBuilder, a_quota, a_run, a_workflow, a_workspace
from tests.support.audit import created_jobs
from tests.support.cluster import Cluster, condition, is_ready, not_ready_because, unique
from tests.support.databases import TestDatabase, create_database, drop_database, own_server
from tests.support.operator_process import OperatorProcess
from tests.support.shell import lasting, shell
from tests.support.waiting import eventually

UNAVAILABLE = "DatabaseUnavailable"
FAN_OUT = 8


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A Postgres that nobody else is hurt by when it is killed."""
    with own_server() as server:
        yield server


@pytest.fixture
def unmigrated(postgres: Server) -> Iterator[TestDatabase]:
    """A database in which nobody has made tables."""
    database = create_database(postgres.up())
    yield database
    drop_database(TestDatabase(postgres.up(), database.name))


@pytest.fixture
def own(unmigrated: TestDatabase) -> TestDatabase:
    """A database that is ready to be used."""
    migrate.upgrade(unmigrated.migration_url, runtime_login=RUNTIME)
    return unmigrated


@pytest.fixture
async def name(cluster: Cluster) -> AsyncIterator[str]:
    """The name of a Workspace and of its Quota, both gone after the test."""
    name = unique("db")
    await cluster.apply(a_quota(name).with_compute(pods="50"))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


@pytest.fixture
def operating(new_operator: Callable[..., OperatorProcess]) -> Iterator[Callable[..., OperatorProcess]]:
    """Starts an operator that leads, on a database or none, and stops it with the test."""
    started: list[OperatorProcess] = []

    def start(database: TestDatabase | None) -> OperatorProcess:
        operator = new_operator(unique("operator"), database_url=database.url if database else None)
        started.append(operator)
        return operator.start().wait_until_leading()

    yield start
    for operator in started:
        operator.stop()


def working(cluster: Cluster, namespace: str, name: str = "work", script: str = "true") -> WorkflowBuilder:
    """A workflow of one node."""
    return a_workflow(name, namespace).with_node("only", shell(cluster, script))


def history(status: str, reason: str) -> Callable[[Object], bool]:
    """Whether the Workspace's history is in that state, and all else of it is well."""
    return lambda item: (
        is_ready(item)
        and (condition(item, "HistoryReady").get("status"), condition(item, "HistoryReady").get("reason"))
        == (status, reason)
    )


LOST, BACK = history("False", UNAVAILABLE), history("True", "Reconciled")


async def waits_for_the_database(cluster: Cluster, run: RunBuilder) -> Object:
    """The WorkflowRun, once it says what it waits for."""
    metadata = run.manifest()["metadata"]
    waiting = await cluster.until(
        WORKFLOW_RUNS, metadata["name"], metadata["namespace"], not_ready_because(UNAVAILABLE)
    )
    assert waiting["status"]["phase"] == "Pending"
    assert [item["reason"] for item in waiting["status"]["waitingFor"]] == [UNAVAILABLE]
    return waiting


async def until_database_is(operator: OperatorProcess, *, up: bool) -> None:
    """Return when the operator has noticed."""

    async def noticed() -> bool:
        return operator.metrics()["headgate_database_up"] == float(up)

    await eventually(noticed, what=f"headgate_database_up {float(up)}")


def recorded_attempts(database: TestDatabase, namespace: str) -> list[tuple[str, str, int, str]]:
    """Run, node, attempt and phase of every attempt in the namespace."""
    statement = """
        SELECT e.resource, s.node, s.attempt, s.phase
        FROM headgate.workflow_execution_steps s
        JOIN headgate.workflow_executions e ON e.workspace_id = s.workspace_id AND e.id = s.execution_id
        JOIN headgate.workflows f ON f.workspace_id = e.workspace_id AND f.id = e.workflow_id
        WHERE f.namespace = %s AND s.attempt > 0
        ORDER BY 1, 2, 3
    """
    return database.rows(statement, namespace)


async def test_without_a_database_tenants_are_kept_and_runs_wait_for_one(
    cluster: Cluster, name: str, own: TestDatabase, operating: Callable[..., OperatorProcess]
) -> None:
    without = operating(None)
    run = a_run("early", name, "work")

    workspace = await cluster.ready_workspace(a_workspace(name).with_quota(name).with_member("owner", "User", "alice"))
    await cluster.apply(working(cluster, name), run)

    for kind in (RESOURCE_QUOTA, LIMIT_RANGE, NETWORK_POLICY, ROLE_BINDING, SERVICE_ACCOUNT):
        assert await cluster.list(kind, name, labels=f"{WORKSPACE_LABEL}={name}"), kind.kind
    assert LOST(workspace)
    assert "HEADGATE_DATABASE_URL" in condition(workspace, "HistoryReady")["message"]
    await cluster.until(WORKFLOWS, "work", name, not_ready_because(UNAVAILABLE))
    await waits_for_the_database(cluster, run)
    await cluster.apply(a_quota(name).with_compute(pods="7"))
    await cluster.until(RESOURCE_QUOTA, "headgate", name, lambda item: item["spec"]["hard"]["pods"] == "7")
    assert without.metrics()["headgate_database_up"] == 0
    assert without.stop() == 0

    operating(own)

    assert (await cluster.finished("early", name))["status"]["phase"] == "Succeeded"
    await cluster.until(WORKFLOWS, "work", name, is_ready)
    known = await cluster.until(WORKSPACES, name, "", BACK)
    assert known["status"]["workspaceId"]


async def test_runs_survive_a_crash_of_postgres_and_tenants_do_not_notice(
    cluster: Cluster, name: str, own: TestDatabase, operating: Callable[..., OperatorProcess], audit_log: Path
) -> None:
    operator = operating(own)
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.apply(fan_out(cluster, name), working(cluster, name), working(cluster, name, "long", lasting(600)))
    await cluster.apply(a_run("wide", name, "fan-out"), a_run("doomed", name, "long"))
    await cluster.until(WORKFLOW_RUNS, "doomed", name, lambda run: run.get("status", {}).get("phase") == "Running")
    await cluster.until(WORKFLOW_RUNS, "wide", name, has_succeeded_nodes(2))

    own.server.kill()

    late = f"{name}-late"
    try:
        await cluster.ready_workspace(a_workspace(late).with_quota(name))
        await cluster.until(WORKSPACES, late, "", LOST)
        await cluster.until(WORKSPACES, name, "", LOST)
        await cluster.apply(a_run("meanwhile", name, "work"))
        await waits_for_the_database(cluster, a_run("meanwhile", name, "work"))
        await cluster.kube.delete(WORKFLOW_RUNS, "doomed", name)
        await eventually(lambda: jobs_ended(cluster, name, more_than=2), what="Jobs that end meanwhile")
        await until_database_is(operator, up=False)

        own.server.up()

        for run in ("wide", "meanwhile"):
            assert (await cluster.finished(run, name))["status"]["phase"] == "Succeeded"
        for workspace in (name, late):
            await cluster.until(WORKSPACES, workspace, "", BACK)
        await eventually(lambda: no_job_of(cluster, name, "long"), what="the end of the Job of the deleted run")
    finally:
        await cluster.remove(workspaces=(late,))

    attempts = recorded_attempts(own, name)
    assert len(set(attempts)) == len(attempts)
    assert [row[1:] for row in attempts if row[0] == "wide"] == sorted(
        (node, 1, "Succeeded") for node in ("first", *(f"n{number}" for number in range(FAN_OUT)), "last")
    )
    assert [row[1:] for row in attempts if row[0] == "meanwhile"] == [("only", 1, "Succeeded")]
    assert [row[1:] for row in attempts if row[0] == "doomed"] == [("only", 1, "Cancelled")]
    jobs = created_jobs(audit_log, name)
    assert set(jobs.values()) == {1}, "a Job was created twice"
    assert len(jobs) == len(attempts), "an attempt without a Job, or a Job without an attempt"
    assert own.rows("SELECT FROM headgate.tasks") == []
    assert operator.running
    no_password_in(operator, own.server)


async def test_postgres_may_crash_at_any_moment_of_a_run(
    cluster: Cluster, name: str, own: TestDatabase, operating: Callable[..., OperatorProcess], audit_log: Path
) -> None:
    operator = operating(own)
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.apply(fan_out(cluster, name), a_run("wide", name, "fan-out"))

    # From right after the first request on, through the fan-out, to the node that waits for all others.
    for done in (0, 1, 3, 5, FAN_OUT):
        await cluster.until(WORKFLOW_RUNS, "wide", name, has_succeeded_nodes(done))
        own.server.kill()
        await asyncio.to_thread(own.server.up)

    assert (await cluster.finished("wide", name))["status"]["phase"] == "Succeeded"
    attempts = recorded_attempts(own, name)
    assert {phase for *_, phase in attempts} == {"Succeeded"}
    assert len(attempts) == FAN_OUT + 2
    jobs = created_jobs(audit_log, name)
    assert (len(jobs), set(jobs.values())) == (FAN_OUT + 2, {1})
    assert own.rows("SELECT FROM headgate.tasks") == []
    await cluster.until(WORKSPACES, name, "", BACK)
    assert operator.running


async def test_a_database_that_is_not_migrated_says_what_to_run_and_migrating_is_enough(
    cluster: Cluster, name: str, unmigrated: TestDatabase, operating: Callable[..., OperatorProcess]
) -> None:
    operator = operating(unmigrated)
    run = a_run("early", name, "work")

    workspace = await cluster.ready_workspace(a_workspace(name).with_quota(name))
    await cluster.apply(working(cluster, name), run)

    assert LOST(workspace)
    assert "run `headgate migrate`" in condition(workspace, "HistoryReady")["message"]
    waiting = await waits_for_the_database(cluster, run)
    assert "run `headgate migrate`" in waiting["status"]["waitingFor"][0]["message"]
    warned = [line for line in operator.log_lines() if "headgate migrate" in str(line.get("metadata"))]
    assert {line["level"] for line in warned} == {"warn"}
    assert operator.running

    migrate.upgrade(unmigrated.migration_url, runtime_login=RUNTIME)

    assert (await cluster.finished("early", name))["status"]["phase"] == "Succeeded"
    await cluster.until(WORKSPACES, name, "", BACK)
    assert operator.running
    no_password_in(operator, unmigrated.server)


async def test_a_wrong_password_is_told_without_telling_it(
    cluster: Cluster, name: str, own: TestDatabase, new_operator: Callable[..., OperatorProcess]
) -> None:
    url = own.url.replace(own.server.secrets().runtime, "correct-horse-battery")
    operator = new_operator(unique("operator"), database_url=url).start().wait_until_leading()

    workspace = await cluster.ready_workspace(a_workspace(name).with_quota(name))

    assert LOST(workspace)
    await until_database_is(operator, up=False)
    assert operator.stop() == 0
    assert "correct-horse" not in operator.log.read_text() + str(workspace)
    no_password_in(operator, own.server)


def fan_out(cluster: Cluster, namespace: str) -> WorkflowBuilder:
    """One node, then many at once that take from one second to several, then one that waits for all."""

    def node(script: str) -> dict[str, Any]:
        resources = {"requests": {"cpu": "10m"}}
        return {"container": {"image": cluster.image, "command": ["sh", "-c", script], "resources": resources}}

    workflow = a_workflow("fan-out", namespace).with_node("first", node("true"))
    middle = [f"n{number}" for number in range(FAN_OUT)]
    for number, name in enumerate(middle):
        workflow = workflow.with_node(name, node(f"sleep {1 + number * 2}"), after=["first"])
    return workflow.with_node("last", node("true"), after=middle)


def has_succeeded_nodes(number: int) -> Callable[[Object], bool]:
    """Whether at least so many nodes of the run have succeeded."""
    return lambda run: sum(node["phase"] == "Succeeded" for node in run.get("status", {}).get("nodes", ())) >= number


async def jobs_ended(cluster: Cluster, namespace: str, more_than: int) -> bool:
    """Whether more Jobs than that have succeeded, whoever knows."""
    jobs = await cluster.list(JOBS, namespace)
    return sum(bool(job.get("status", {}).get("succeeded")) for job in jobs) > more_than


async def no_job_of(cluster: Cluster, namespace: str, workflow: str) -> bool:
    """Whether no Job of the workflow is left."""
    return await cluster.list(JOBS, namespace, labels=f"{WORKFLOW_LABEL}={workflow}") == []


def no_password_in(operator: OperatorProcess, server: Server) -> None:
    """Fail where the operator logged a password of the database."""
    log, known = operator.log.read_text(), server.secrets()
    assert not [login for login in (SUPERUSER, MIGRATOR, RUNTIME) if known.password(login) in log]
