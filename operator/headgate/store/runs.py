"""Runs as whoever decides on them reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import NORMAL, Apart
from headgate.domain.graph import NodeState
from headgate.domain.runner_task import LOSSES
from headgate.store.database import Transaction
from headgate.store.fragments import ONE, SEVERAL, UNCOUNTED, Source
from headgate.store.joint import BETWEEN, Joint, columns, of_runs
from headgate.store.records import RunKey
from headgate.store.runner_tasks import DUE, OF_ANY, OF_RUN


@dataclass(frozen=True)
class StateRow:
    """The latest attempt of a node."""

    node: str
    attempt: int
    phase: str
    branch: str | None
    reason: str
    message: str


@dataclass(frozen=True)
class OpenTask:
    """The queue's row of one attempt."""

    work: Mapping[str, Any]
    timeout_seconds: int
    kind: str = "job"
    stopping: bool = False
    """Whether it was asked to end."""
    first_attempt: int = 1
    """The attempt from which retries count."""
    holder: str | None = None
    """Who claimed it last."""


@dataclass(frozen=True)
class Claimable:
    """What is due for a runner besides."""

    any: bool
    """Whether there is something."""
    workspace: str
    """Name of the runner's workspace."""


@dataclass(frozen=True)
class Runner:
    """Who asks what is due for it."""

    namespace: str
    run_id: UUID | None
    """The run whose runner it is; None for one of a pool."""
    kinds: Collection[str]
    """Of a runner of a pool: what it has room for."""
    now: datetime


@dataclass(frozen=True)
class LoadedRun:
    """A run with the states of its nodes and, where one was asked for and is open, one task."""

    key: RunKey
    status: str
    version_id: UUID
    trigger_node: str
    waiting_reason: str | None
    waiting_until: datetime | None
    deadline: datetime | None
    running_since: datetime | None
    probe: int | None
    """The episode of the half-open circuit breaker in which it is tried."""
    states: tuple[StateRow, ...]
    task: OpenTask | None
    error_message: str | None = None
    retries: int = 0
    """How often its failed nodes were run again."""
    held: str | None = None
    """Why it is Suspended."""
    cancelling: bool = False
    """Whether it was asked to end, so that only final nodes start."""
    overdue: bool = False
    """Whether that was because its time was over."""
    apart: Apart = NORMAL
    """How it differs from a Normal run."""
    known: Mapping[str, NodeState] | None = None
    """The states of all its nodes, by whoever knows them without ``states``."""
    others_due: Claimable | None = None
    """What is due for the runner that was named, besides its task; None where none was, or others share the load."""

    @property
    def ends_as(self) -> RunPhase | None:
        """What it comes to where it was asked to end, however its final nodes fare."""
        if not self.cancelling:
            return None
        return RunPhase.FAILED if self.overdue else RunPhase.CANCELLED

    @property
    def has_place(self) -> bool:
        """Whether it counts as under way: a run that is suspended before it started does not."""
        return self.status == "Running" or (self.status == "Suspended" and self.running_since is not None)

    @property
    def takes_place(self) -> bool:
        """Whether it counts among the runs under way that the quota bounds."""
        return self.has_place and self.apart.is_normal

    @property
    def has_started(self) -> bool:
        """Whether it is, or was, under way, so that what it was given has been counted."""
        return self.has_place or self.retries > 0

    @property
    def is_queued(self) -> bool:
        """Whether it counts among those that wait for room."""
        return self.status == "Pending" and self.waiting_reason not in UNCOUNTED


_LOADED = """e.status, e.version_id, e.trigger_node, e.waiting_reason, e.waiting_until, e.deadline, e.running_since,
        e.probe, e.error_message, e.retries, e.held, e.cancelling, e.overdue, e.mode, e.options,
        t.work, t.kind, t.timeout_seconds, t.stopping, t.first_attempt, t.holder"""


def _states(source: Source, within: str = "") -> str:
    return f"""
        (SELECT jsonb_agg(jsonb_build_array(node, attempt, phase, branch, reason, message)) FROM (
            SELECT DISTINCT ON (s.node) s.node, s.attempt, s.phase, s.branch, s.reason,
                CASE s.phase WHEN 'Failed' THEN s.message ELSE '' END AS message
            FROM headgate.workflow_execution_steps s
            WHERE s.workspace_id = %(workspace_id)s AND s.started_at = {source["started_at"]}
                AND s.execution_id = {source["run_id"]} {within}
            ORDER BY s.node, s.attempt DESC
        ) latest) AS states
    """  # noqa: S608 - constants


_LOAD_ONE = f"""
    SELECT {_LOADED}, {_states(ONE)} {{besides}}
    FROM headgate.workflow_executions e
    LEFT JOIN headgate.tasks t ON t.workspace_id = e.workspace_id AND t.execution_id = e.id
        AND t.node = %(node)s AND t.attempt = %(attempt)s
    WHERE e.workspace_id = %(workspace_id)s AND e.started_at = %(started_at)s AND e.id = %(run_id)s
"""  # noqa: S608 - constants
_LOAD_SEVERAL = f"""
    WITH {columns(run_id="uuid", started_at="timestamptz", node="text", attempt="integer")}
    SELECT a.number, {_LOADED}, {_states(SEVERAL, f"AND s.started_at {BETWEEN}")}
    FROM asked a JOIN headgate.workflow_executions e ON e.workspace_id = %(workspace_id)s
        AND e.started_at = a.started_at AND e.started_at {BETWEEN} AND e.id = a.run_id
    LEFT JOIN headgate.tasks t ON t.workspace_id = %(workspace_id)s AND t.execution_id = a.run_id
        AND t.node = a.node AND t.attempt = a.attempt
"""  # noqa: S608 - constants
_LOAD = Joint(0, _LOAD_ONE.format(besides=""), _LOAD_SEVERAL, of_runs)
_BESIDES = f""", EXISTS (SELECT FROM headgate.tasks WHERE {DUE} {{of}}) AS others_due,
    (SELECT name FROM headgate.workspaces WHERE id = %(workspace_id)s) AS workspace"""  # noqa: S608 - constants
_LOAD_FOR_OWN = _LOAD_ONE.format(besides=_BESIDES.format(of=OF_RUN))
_LOAD_FOR_POOL = _LOAD_ONE.format(besides=_BESIDES.format(of=OF_ANY))


async def load(
    tx: Transaction, key: RunKey, node: str = "", attempt: int = 0, runner: Runner | None = None
) -> LoadedRun | None:
    """A run as it is, with the task of ``attempt`` of ``node``. To decide on it, hold the run's lock.

    Where ``runner`` has that task, what is due for it besides is told too, unless the transaction is shared.
    """
    parameters = key.parameters() | {"node": node, "attempt": attempt}
    told = runner is not None and not tx.is_shared
    if runner is None or tx.is_shared:
        rows = await tx.joint(_LOAD, parameters)
    else:
        asked = {"namespace": runner.namespace, "now": runner.now, "kinds": list(runner.kinds), "losses": LOSSES}
        rows = await tx.rows(_LOAD_FOR_POOL if runner.run_id is None else _LOAD_FOR_OWN, parameters | asked)
    if not rows:
        return None
    [row] = rows
    return LoadedRun(
        key=key,
        status=row.status,
        version_id=row.version_id,
        trigger_node=row.trigger_node,
        waiting_reason=row.waiting_reason,
        waiting_until=row.waiting_until,
        deadline=row.deadline,
        running_since=row.running_since,
        probe=row.probe,
        states=tuple(StateRow(*state) for state in row.states or ()),
        task=None
        if row.work is None
        else OpenTask(row.work, row.timeout_seconds, row.kind, row.stopping, row.first_attempt, row.holder),
        error_message=row.error_message,
        retries=row.retries,
        held=row.held,
        cancelling=row.cancelling,
        overdue=row.overdue,
        apart=Apart.of(row.mode, row.options),
        others_due=Claimable(row.others_due, row.workspace) if told else None,
    )
