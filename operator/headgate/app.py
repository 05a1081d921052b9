"""Composition of the operator: every part is made here, once, and handed what it needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Gauge

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import Connection, connect
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.lease import Leadership, LeaseSettings, LostLeadership
from headgate.cluster.resources import JOBS, QUOTAS, WORKFLOW_RUNS, WORKFLOWS, WORKSPACES
from headgate.desired.context import ClusterFacts
from headgate.engine.engine import Engine
from headgate.engine.expressions.evaluator import ExpressionPool
from headgate.handlers.routing import Router
from headgate.handlers.watches import watch
from headgate.probes import Health, application, serve
from headgate.reconcile.children import Children
from headgate.reconcile.database import DatabaseMonitor
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.dispatch import Dispatcher, forever
from headgate.reconcile.effects import EffectHandler
from headgate.reconcile.jobs import JobReconciler
from headgate.reconcile.keys import Key, Topic, key_for
from headgate.reconcile.queue import QueueMetrics, WorkQueue
from headgate.reconcile.quotas import QuotaReconciler
from headgate.reconcile.recovery import Recovery
from headgate.reconcile.resync import Resync
from headgate.reconcile.runs import RunReconciler
from headgate.reconcile.status import StatusWriter
from headgate.reconcile.teardown import Teardown
from headgate.reconcile.tenants import Tenants
from headgate.reconcile.workflows import WorkflowReconciler
from headgate.reconcile.workloads import Workloads
from headgate.reconcile.workspaces import WorkspaceReconciler
from headgate.settings import OperatorSettings
from headgate.store.errors import DatabaseUnavailable
