"""Composition of the operator: every part is made here, once, and handed what it needs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import Connection
from headgate.cluster.endpoints import api_addresses
from headgate.cluster.reflector import Reflector
from headgate.cluster.resources import LABELLED_RESOURCES, QUOTAS
from headgate.desired.context import ClusterFacts
from headgate.desired.keys import NAMESPACE, ApiResource
from headgate.desired.runner_job import RunnerPods
from headgate.engine.engine import Engine
from headgate.engine.expressions.checker import ExpressionChecker
from headgate.engine.run_metrics import RunMetrics
from headgate.handlers.routing import Router
from headgate.leader import Operator
from headgate.objects.object_store import ObjectStore
from headgate.probes import Health
from headgate.reconcile.children import Children
from headgate.reconcile.database import DatabaseMonitor
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.dispatch import Dispatcher
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.facts import Facts
from headgate.reconcile.jobs import JobReconciler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.queue import QueueMetrics, WorkQueue
from headgate.reconcile.quotas import QuotaReconciler
from headgate.reconcile.recovery import Recovery
from headgate.reconcile.resync import Resync
from headgate.reconcile.runner_jobs import RunnerJobs, in_turn
from headgate.reconcile.runners import Runners
from headgate.reconcile.runs import RunReconciler
from headgate.reconcile.shares import Shares
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.step_logs import LogKeeper
from headgate.reconcile.teardown import Teardown
from headgate.reconcile.tenants import Tenants
from headgate.reconcile.timekeeping import Timekeeper
from headgate.reconcile.usage import UsageBook
from headgate.reconcile.workflows import WorkflowReconciler
from headgate.reconcile.workloads import Workloads
from headgate.reconcile.workspaces import WorkspaceReconciler
from headgate.settings import OperatorSettings
from headgate.store.errors import DatabaseUnavailable


def wall() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Base:
    """What all reconcilers share."""

    cache: Cache
    queue: WorkQueue[Key]
    dependents: Dependents
    status: StatusWriter
    workloads: Workloads
    effects: EffectHandler
    tenants: Tenants
    usage: UsageBook
    database: DatabaseMonitor


def compose(
    settings: OperatorSettings,
    connection: Connection,
    kube: KubeClient,
    engine: Engine,
    checker: ExpressionChecker,
    objects: ObjectStore,
    registry: CollectorRegistry,
    health: Health,
) -> Operator:
    """Put the operator together."""
    reconcilers: dict[Topic, Callable[[Key], Awaitable[None]]] = {}

    async def reconcile(key: Key) -> None:
        try:
            await reconcilers[key.topic](key)
        except DatabaseUnavailable:
            base.database.park(key)
            raise

    def database_changed(up: bool) -> None:  # noqa: FBT001 - it is what there is to tell
        base.tenants.forget_all()
        if up:
            operator.enqueue_all()
            base.effects.work.set()
        else:
            operator.enqueue(Topic.WORKSPACE, Topic.RUN)

    queue = WorkQueue(reconcile, lambda key: key.topic.value, QueueMetrics.register(registry), time.monotonic)
    database = DatabaseMonitor(engine, registry, changed=database_changed, enqueue=queue.add)
    base = _base(settings, kube, engine, registry, queue, database)
    router = Router(base.cache, base.dependents, queue.add)
    facts = Facts(_learner(settings, kube, connection), changed=lambda: operator.enqueue(Topic.WORKSPACE))
    workspaces = _workspaces(base, kube, engine, facts)
    logs = LogKeeper(
        kube,
        base.cache,
        engine,
        objects,
        base.workloads,
        registry,
        limit=settings.log_limit_bytes,
        monotonic=time.monotonic,
    )
    runner_jobs = RunnerJobs(
        kube,
        base.cache,
        engine.runner_tasks,
        base.workloads,
        base.effects,
        facts.get,
        logs,
        pods=_runner_pods(settings),
        wall=wall,
    )
    reconcilers.update(_reconcilers(base, engine, checker, router, workspaces, logs, runner_jobs))
    operator = Operator(
        connection=connection,
        router=router,
        reflectors=_reflectors(kube, base.cache, router),
        queue=queue,
        cache=base.cache,
        resync=Resync(kube, base.cache, registry, changed=router.changed, vanished=router.vanished),
        recovery=Recovery(kube, base.cache, engine, base.workloads, base.effects),
        dispatcher=Dispatcher(
            engine,
            base.workloads,
            base.effects,
            holder=settings.pod_name,
            lease=timedelta(seconds=settings.claim_seconds),
            batch=settings.claim_batch,
            wall=wall,
        ),
        timekeeper=Timekeeper(engine, base.effects, queue.add, wall=wall),
        logs=logs,
        runners=Runners(engine, runner_jobs, base.effects, wall=wall),
        usage=base.usage,
        facts=facts,
        database=database,
        health=health,
        settings=settings,
        prime=workspaces.prime,
    )
    return operator


def _runner_pods(settings: OperatorSettings) -> RunnerPods | None:
    if settings.gateway_url is None:
        return None
    return RunnerPods(
        gateway_url=settings.gateway_url,
        image=settings.runner_image,
        pull_policy=settings.runner_image_pull_policy,
        idle_seconds=settings.runner_idle_seconds,
    )


def _reflectors(kube: KubeClient, cache: Cache, router: Router) -> dict[ApiResource, Reflector]:
    return {
        resource: Reflector(
            kube, cache, resource, changed=router.changed, deleted=router.deleted, vanished=router.vanished
        )
        for resource in LABELLED_RESOURCES
    }


def _base(
    settings: OperatorSettings,
    kube: KubeClient,
    engine: Engine,
    registry: CollectorRegistry,
    queue: WorkQueue[Key],
    database: DatabaseMonitor,
) -> _Base:
    cache = Cache()
    dependents = Dependents(queue.add)
    workloads = Workloads(kube, cache, ttl_seconds=settings.job_ttl_seconds)
    run_metrics = RunMetrics(registry, lambda namespace: cache.owner(NAMESPACE.key(namespace)))
    effects = EffectHandler(workloads, queue.add, run_metrics)
    return _Base(
        cache=cache,
        queue=queue,
        dependents=dependents,
        status=StatusWriter(kube, cache, identity=settings.pod_name, wall=wall),
        workloads=workloads,
        effects=effects,
        tenants=Tenants(cache, engine, effects),
        usage=UsageBook(cache, engine, registry, enqueue=queue.add, quota_of=dependents.on, alarm=effects.breakers),
        database=database,
    )


def _learner(
    settings: OperatorSettings, kube: KubeClient, connection: Connection
) -> Callable[[], Awaitable[ClusterFacts]]:
    """Asks the cluster what is the same for all workspaces."""

    async def learn() -> ClusterFacts:
        return ClusterFacts(
            operator_namespace=settings.namespace,
            dns_addresses=tuple(address.strip() for address in settings.dns_addresses.split(",") if address.strip()),
            api_addresses=await api_addresses(kube, connection.server),
            gateway_namespace=settings.namespace if settings.gateway_url else None,
        )

    return learn


def _workspaces(base: _Base, kube: KubeClient, engine: Engine, facts: Facts) -> WorkspaceReconciler:
    children = Children(kube, base.cache)
    return WorkspaceReconciler(
        base.cache,
        children,
        Shares(base.cache, children, users_of=lambda name: base.dependents.of(QUOTAS.key(name))),
        Teardown(
            kube,
            base.cache,
            children,
            engine,
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
        dependents=base.dependents,
        requeue=base.queue.add_after,
        park=base.database.park,
        wall=wall,
    )


def _reconcilers(
    base: _Base,
    engine: Engine,
    checker: ExpressionChecker,
    router: Router,
    workspaces: WorkspaceReconciler,
    logs: LogKeeper,
    runner_jobs: RunnerJobs,
) -> dict[Topic, Callable[[Key], Awaitable[None]]]:
    jobs = JobReconciler(
        base.cache, engine, base.workloads, base.effects, logs, requeue=base.queue.add_after, wall=wall
    )
    runs = RunReconciler(
        base.cache,
        engine,
        base.tenants,
        base.effects,
        base.status,
        dependents=base.dependents,
        requeue=base.queue.add_after,
        park=base.database.park,
        wall=wall,
        monotonic=time.monotonic,
    )
    workflows = WorkflowReconciler(
        base.cache,
        engine,
        base.tenants,
        base.status,
        checker,
        dependents=base.dependents,
        requeue=base.queue.add_after,
        park=base.database.park,
        wall=wall,
    )
    quotas = QuotaReconciler(base.cache, base.usage, base.status, dependents=base.dependents, wall=wall)
    return {
        Topic.QUOTA: quotas.reconcile,
        Topic.WORKSPACE: workspaces.reconcile,
        Topic.WORKFLOW: workflows.reconcile,
        Topic.RUN: _or_deleted(router, runs.reconcile, runs.deleted),
        Topic.JOB: _or_deleted(
            router,
            in_turn(runner_jobs.reconcile, jobs.reconcile),
            in_turn(runner_jobs.deleted, jobs.deleted),
        ),
    }


def _or_deleted(
    router: Router,
    reconcile: Callable[[Key], Awaitable[None]],
    deleted: Callable[[dict[str, object]], Awaitable[None]],
) -> Callable[[Key], Awaitable[None]]:
    """Act on an object's deletion before what may stand in its place."""

    async def both(key: Key) -> None:
        tombstone = router.tombstone(key)
        if tombstone is not None:
            await deleted(tombstone)
            router.bury(key, tombstone)
        await reconcile(key)

    return both
