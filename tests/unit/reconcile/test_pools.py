"""Pools of runners: their size, and what is left to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headgate.cluster.resources import PODS, WORKSPACES
from headgate.desired.keys import DEPLOYMENT
from headgate.domain.runner_task import LOSSES, POOL_NAME
from headgate.reconcile.keys import Key, Topic
from tests.builders import a_workspace
from tests.unit.reconcile.runner_world import NOON, World, a_runner_task

LABELS = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "acme"}
ACME = Key(Topic.WORKSPACE, "acme")


def a_world(replicas: int = 0, status: dict[str, Any] | None = None, **runners: Any) -> World:
    """One with a Workspace that has a pool."""
    world = World()
    workspace = a_workspace().manifest()
    workspace["spec"]["runners"] = {"max": 3, "idleSeconds": 60, **runners}
    world.cache.upsert(WORKSPACES, world.kube.put(WORKSPACES, workspace))
    pool = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": POOL_NAME, "namespace": "acme", "labels": LABELS},
        "spec": {"replicas": replicas},
        "status": status or {},
    }
    world.cache.upsert(DEPLOYMENT, world.kube.put(DEPLOYMENT, pool))
    return world


def a_pod(world: World, **state: Any) -> None:
    metadata = {
        "name": f"{POOL_NAME}-abc-abcde",
        "namespace": "acme",
        "labels": {**LABELS, "headgate.dev/runners": "pool"},
    }
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "state": state}]}
    item = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
    world.cache.upsert(PODS, world.kube.put(PODS, item))


async def test_work_wakes_the_pool_instead_of_making_a_job() -> None:
    world = a_world()

    await world.look(a_runner_task(kind="script"))
    await world.look(a_runner_task(kind="script"))

    assert world.made == []
    assert world.pools.runners("acme") == 1
    assert world.keys == [ACME]
    assert world.rung == ["acme"]


async def test_what_needs_secrets_gets_a_runner_of_its_run_s_own() -> None:
    world = a_world()

    await world.look(a_runner_task(needs_secrets=True))

    assert len(world.made) == 1
    assert world.pools.runners("acme") == 0


async def test_a_restart_changes_nothing_and_idleness_ends_runners() -> None:
    world = a_world(replicas=2)
    await world.look()
    assert (world.pools.runners("acme"), world.keys) == (2, [])

    world.now += timedelta(seconds=61)
    await world.look()

    assert (world.pools.runners("acme"), world.keys) == (0, [ACME])


async def test_without_its_deployment_a_pool_takes_nothing() -> None:
    world = a_world()
    world.cache.drop(DEPLOYMENT.key(POOL_NAME, "acme"), world.cache.uid(DEPLOYMENT.key(POOL_NAME, "acme")) or "")

    await world.look(a_runner_task())

    assert len(world.made) == 1


async def test_what_took_several_runners_with_it_is_given_up() -> None:
    world = a_world(replicas=1)

    [told] = await world.look(a_runner_task(holder="pod/uid", losses=LOSSES - 1))

    assert told[-1].reason == "RunnerLost"


async def test_a_run_says_what_its_pool_waits_for() -> None:
    world = a_world(
        status={"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: headgate"}]}
    )
    world.now += timedelta(seconds=10)

    told = await world.look(a_runner_task(due_at=NOON))

    assert [item[-1].reason for item in told] == ["ComputeQuota"]


async def test_a_run_says_that_all_runners_are_busy() -> None:
    world = a_world(replicas=1)
    a_pod(world, running={"startedAt": "2026-03-01T12:00:00Z"})
    world.now += timedelta(seconds=10)

    told = await world.look(a_runner_task(due_at=NOON))

    assert [item[-1].reason for item in told] == ["RunnersBusy"]
