"""The operator, put together: what watches the cluster, what reconciles, and what keeps time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from headgate.app.base import Base, make_base
from headgate.app.claim_terms import claim_terms
from headgate.app.reconcilers import (
    Reconcile,
    by_topic,
    make_logs,
    make_pools,
    make_runner_jobs,
    make_workspaces,
)
from headgate.app.runner_pods import runner_pods
from headgate.clock import wall
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import Connection
from headgate.cluster.endpoints import api_addresses
from headgate.cluster.reflector import Reflector
from headgate.cluster.resources import MANY
from headgate.desired.context import ClusterFacts
from headgate.domain.audit_keys import SigningKeys
from headgate.engine.credentials.key_source import signing_keys
from headgate.engine.engine import Engine
from headgate.engine.expressions.checker import ExpressionChecker
from headgate.handlers.routing import Router
from headgate.leader import Loop, Operator, Watching
from headgate.objects.object_store import ObjectStore
from headgate.probes import Health
from headgate.reconcile.archive import ArchiveKeeper
from headgate.reconcile.dispatch import Dispatcher
from headgate.reconcile.facts import Facts
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.pool_logs import PoolLogs
from headgate.reconcile.pools import Pools
from headgate.reconcile.recovery import Recovery
from headgate.reconcile.resync import Resync
from headgate.reconcile.runner_jobs import RunnerJobs
from headgate.reconcile.runners import Runners
from headgate.reconcile.timekeeping import Timekeeper
from headgate.reconcile.unnoted import UnnotedArtifacts
from headgate.settings import OperatorSettings
from headgate.store.bell import Bell


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
    reconcilers: dict[Topic, Reconcile] = {}

    async def reconcile(key: Key) -> None:
        # What the queue drives enqueues in turn, so the queue is made before it.
        await reconcilers[key.topic](key)

    base = make_base(settings, kube, engine, registry, reconcile)
    facts = Facts(_learner(base, connection), changed=lambda: base.sweep.kinds(Topic.WORKSPACE))
    router = Router(base.cache, base.dependents, base.queue.add)
    pools = make_pools(base)
    workspaces = make_workspaces(base, facts, pools)
    logs = make_logs(base, objects)
    runner_jobs = make_runner_jobs(base, facts, logs)
    reconcilers.update(by_topic(base, checker, router, workspaces, logs, runner_jobs))
    return Operator(
        watching=_watching(base, connection, router),
        queue=base.queue,
        cache=base.cache,
        sweep=base.sweep,
        facts=facts,
        recovery=Recovery(kube, base.cache, engine, base.workloads, base.effects),
        loops=(
            *_timekeeping(base, runner_jobs, pools),
            logs.run,
            PoolLogs(engine.logs, logs, wall=wall).run,
            UnnotedArtifacts(engine.left_files, objects).run,
            ArchiveKeeper(engine.archiver(objects, _signing(base.settings)), registry, wall=wall).run,
            base.let_go.run,
            base.warnings.run,
            base.pod_use.run,
            base.usage.run,
            facts.run,
            base.database.run,
        ),
        health=health,
        settings=settings,
        prime=workspaces.prime,
    )


def _watching(base: Base, connection: Connection, router: Router) -> Watching:
    """What fills the cache, and tells of every change in it."""
    return Watching(
        connection=connection,
        router=router,
        reflectors={
            resource: Reflector(
                base.kube,
                base.cache,
                resource,
                changed=router.changed,
                deleted=router.deleted,
                vanished=router.vanished,
            )
            for resource in MANY
        },
        resync=Resync(base.kube, base.cache, base.registry, changed=router.changed, vanished=router.vanished),
    )


def _timekeeping(base: Base, runner_jobs: RunnerJobs, pools: Pools) -> tuple[Loop, ...]:
    """What asks Postgres for what is due."""
    dispatcher = Dispatcher(
        base.engine,
        base.workloads,
        base.effects,
        claim_terms(base.settings),
        wall=wall,
    )
    timekeeper = Timekeeper(
        base.engine, base.effects, base.queue.add, base.registry, wall=wall, signing=_signing(base.settings)
    )
    url = base.settings.database_url
    bell = Bell(url.get_secret_value() if url is not None else "postgresql://", heard=_nobody)
    runners = Runners(base.engine, runner_jobs, pools, base.effects, ring=bell.ring, wall=wall)
    return dispatcher.run, timekeeper.run, runners.run, *((bell.run,) if url is not None else ())


def _signing(settings: OperatorSettings) -> SigningKeys | None:
    written = settings.audit_signing_keys
    return signing_keys(written.get_secret_value() if written is not None else None, settings.audit_signing_keys_file)


def _nobody(_workspace: str) -> None:
    """The operator has no runners to wake."""


def _learner(base: Base, connection: Connection) -> Callable[[], Awaitable[ClusterFacts]]:
    """Asks the cluster what is the same for all workspaces."""
    settings = base.settings

    async def learn() -> ClusterFacts:
        return ClusterFacts(
            operator_namespace=settings.namespace,
            dns_addresses=tuple(address.strip() for address in settings.dns_addresses.split(",") if address.strip()),
            api_addresses=await api_addresses(base.kube, connection.server),
            runner_pods=runner_pods(settings),
            gateway_namespace=settings.namespace if settings.gateway_url else None,
            log_reader=settings.gateway_account,
        )

    return learn
