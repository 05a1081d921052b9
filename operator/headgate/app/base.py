"""What all parts of the operator share."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import CollectorRegistry

from headgate.app.runner_pods import runner_pods
from headgate.clock import wall
from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient
from headgate.desired.keys import NAMESPACE
from headgate.engine.engine import Engine
from headgate.engine.run_metrics import RunMetrics
from headgate.reconcile.database import DatabaseMonitor
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.letting_go import LetGo
from headgate.reconcile.pod_use import PodUse
from headgate.reconcile.queue import QueueMetrics, WorkQueue
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.sweep import Sweep
from headgate.reconcile.tenants import Tenants
from headgate.reconcile.usage import UsageBook
from headgate.reconcile.warnings import Warnings
from headgate.reconcile.workloads import Workloads
from headgate.settings import OperatorSettings


@dataclass(frozen=True)
class Base:
    """What is handed to nearly everything."""

    settings: OperatorSettings
    kube: KubeClient
    engine: Engine
    registry: CollectorRegistry
    cache: Cache
    queue: WorkQueue[Key]
    sweep: Sweep
    dependents: Dependents
    status: StatusWriter
    workloads: Workloads
    let_go: LetGo
    effects: EffectHandler
    tenants: Tenants
    usage: UsageBook
    warnings: Warnings
    pod_use: PodUse
    database: DatabaseMonitor


def make_base(
    settings: OperatorSettings,
    kube: KubeClient,
    engine: Engine,
    registry: CollectorRegistry,
    reconcile: Callable[[Key], Awaitable[None]],
) -> Base:
    """Make it. ``reconcile`` is not called before the queue runs."""
    cache = Cache()
    queue = WorkQueue(reconcile, lambda key: key.topic.value, QueueMetrics.register(registry), time.monotonic)
    sweep = Sweep(cache, queue.add)
    dependents = Dependents(queue.add)
    workloads = Workloads(kube, cache, ttl_seconds=settings.job_ttl_seconds, runners=runner_pods(settings))
    run_metrics = RunMetrics(registry, lambda namespace: cache.owner(NAMESPACE.key(namespace)))
    effects = EffectHandler(workloads, queue.add, run_metrics, later=queue.add_after)
    tenants = Tenants(cache, engine.workspaces, effects)
    return Base(
        settings=settings,
        kube=kube,
        engine=engine,
        registry=registry,
        cache=cache,
        queue=queue,
        sweep=sweep,
        dependents=dependents,
        status=StatusWriter(kube, cache, identity=settings.pod_name, wall=wall),
        workloads=workloads,
        let_go=LetGo(
            kube,
            cache,
            workloads,
            engine.logs,
            ttl=timedelta(seconds=settings.job_ttl_seconds),
            with_logs=settings.log_limit_bytes > 0,
            wall=wall,
        ),
        effects=effects,
        tenants=tenants,
        usage=UsageBook(
            cache, engine.workspaces, registry, enqueue=queue.add, quota_of=dependents.on, alarm=effects.breakers
        ),
        warnings=Warnings(kube, cache, queue.add),
        pod_use=PodUse(kube, cache, wall=wall),
        database=DatabaseMonitor(engine, registry, changed=_follow(tenants, effects, sweep), enqueue=queue.add),
    )


def _follow(tenants: Tenants, effects: EffectHandler, sweep: Sweep) -> Callable[[bool], None]:
    """What a change of the database's state asks for."""

    def changed(up: bool) -> None:  # noqa: FBT001 - it is what there is to tell
        tenants.forget_all()
        if up:
            sweep.all()
            effects.work.set()
        else:
            sweep.kinds(Topic.WORKSPACE, Topic.RUN)

    return changed
