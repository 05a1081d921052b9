"""What reconciles: one reconciler for each kind, and what they keep of Jobs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from headgate.app.base import Base
from headgate.app.runner_pods import runner_pods
from headgate.clock import wall
from headgate.cluster.resources import QUOTAS
from headgate.engine.expressions.checker import ExpressionChecker
from headgate.handlers.routing import Router
from headgate.objects.object_store import ObjectStore
from headgate.reconcile.children import Children
from headgate.reconcile.facts import Facts
from headgate.reconcile.jobs import JobReconciler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.pools import Pools
from headgate.reconcile.quotas import QuotaReconciler
from headgate.reconcile.runner_jobs import RunnerJobs, in_turn
from headgate.reconcile.runs import RunReconciler
from headgate.reconcile.shares import Shares
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.teardown import Teardown
from headgate.reconcile.workflows import WorkflowReconciler
from headgate.reconcile.workspaces import WorkspaceReconciler
from headgate.store.errors import DatabaseUnavailable

Reconcile = Callable[[Key], Awaitable[None]]


def by_topic(
    base: Base,
    checker: ExpressionChecker,
    router: Router,
    workspaces: WorkspaceReconciler,
    logs: LogKeeper,
    runner_jobs: RunnerJobs,
) -> dict[Topic, Reconcile]:
    """Who looks at a key. Whatever needs Postgres while it is away is looked at when it is back."""
    runs, jobs = _runs(base), _jobs(base, logs)
    quotas = QuotaReconciler(base.cache, base.usage, base.status, dependents=base.dependents, wall=wall)
    made = {
        Topic.QUOTA: quotas.reconcile,
        Topic.WORKSPACE: workspaces.reconcile,
        Topic.WORKFLOW: _workflows(base, checker).reconcile,
        Topic.RUN: _or_deleted(router, runs.reconcile, runs.deleted),
        Topic.JOB: _or_deleted(
            router,
            in_turn(runner_jobs.reconcile, jobs.reconcile),
            in_turn(runner_jobs.deleted, jobs.deleted),
        ),
    }
    return {topic: _or_parked(base.database.park, reconcile) for topic, reconcile in made.items()}


def make_pools(base: Base) -> Pools:
    """Who decides how large pools of runners are."""
    return Pools(base.kube, base.cache, base.workloads, base.warnings, enqueue=base.queue.add, wall=wall)


def make_workspaces(base: Base, facts: Facts, pools: Pools) -> WorkspaceReconciler:
    """The reconciler of Workspaces, with what it takes to keep their children and to take them down."""
    children = Children(base.kube, base.cache, leave=base.let_go.leave)
    return WorkspaceReconciler(
        base.cache,
        children,
        Shares(base.cache, children, users_of=lambda name: base.dependents.of(QUOTAS.key(name))),
        Teardown(
            base.kube,
            base.cache,
            children,
            base.engine.workspaces,
            base.tenants,
            base.effects,
            base.status,
            requeue=base.queue.add_after,
            wall=wall,
        ),
        base.tenants,
        base.usage,
        base.status,
        facts.get,
        runners=pools.runners,
        dependents=base.dependents,
        requeue=base.queue.add_after,
        park=base.database.park,
        wall=wall,
    )


def make_logs(base: Base, objects: ObjectStore) -> LogKeeper:
    """Who keeps the logs of Jobs that have ended."""
    return LogKeeper(
        base.kube,
        base.cache,
        base.engine,
        objects,
        base.workloads,
        base.let_go,
        base.registry,
        limit=base.settings.log_limit_bytes,
        monotonic=time.monotonic,
    )


def make_runner_jobs(base: Base, facts: Facts, logs: LogKeeper) -> RunnerJobs:
    """Who makes the Jobs of runners, and sees them end."""
    return RunnerJobs(
        base.kube,
        base.cache,
        base.engine.runner_tasks,
        base.workloads,
        base.effects,
        facts.get,
        logs,
        base.warnings,
        pods=runner_pods(base.settings),
        wall=wall,
    )


def _workflows(base: Base, checker: ExpressionChecker) -> WorkflowReconciler:
    return WorkflowReconciler(
        base.cache,
        base.engine.workflows,
        base.tenants,
        base.status,
        checker,
        dependents=base.dependents,
        requeue=base.queue.add_after,
        park=base.database.park,
        wall=wall,
    )


def _runs(base: Base) -> RunReconciler:
    return RunReconciler(
        base.cache,
        base.engine,
        base.tenants,
        base.effects,
        base.status,
        dependents=base.dependents,
        requeue=base.queue.add_after,
        park=base.database.park,
        wall=wall,
        monotonic=time.monotonic,
    )


def _jobs(base: Base, logs: LogKeeper) -> JobReconciler:
    return JobReconciler(
        base.cache,
        base.engine,
        base.workloads,
        base.let_go,
        base.effects,
        logs,
        base.warnings,
        base.pod_use,
        requeue=base.queue.add_after,
        wall=wall,
    )


def _or_parked(park: Callable[[Key], None], reconcile: Reconcile) -> Reconcile:
    async def tried(key: Key) -> None:
        try:
            await reconcile(key)
        except DatabaseUnavailable:
            park(key)
            raise

    return tried


def _or_deleted(
    router: Router, reconcile: Reconcile, deleted: Callable[[dict[str, object]], Awaitable[None]]
) -> Reconcile:
    """Act on an object's deletion before what may stand in its place."""

    async def both(key: Key) -> None:
        tombstone = router.tombstone(key)
        if tombstone is not None:
            await deleted(tombstone)
            router.bury(key, tombstone)
        await reconcile(key)

    return both
