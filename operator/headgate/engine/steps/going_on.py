"""What a runner goes on with: the next attempt that is due or, where nothing is, what it has just made ready itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from headgate.api.workflow_run import NodePhase
from headgate.domain.cost import of_runner
from headgate.domain.runner_task import KINDS, RunnerTask
from headgate.domain.task import TaskRef
from headgate.engine.context import Context
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.stepping import Progress
from headgate.store import runner_tasks
from headgate.store.database import Transaction
from headgate.store.records import RunKey, StepRow, TaskRow
from headgate.store.runs import LoadedRun, Runner
from headgate.store.tasks import running_parameters


@dataclass(frozen=True)
class Claimant:
    """A runner that has room for an attempt."""

    holder: str
    namespace: str
    lease: timedelta
    run_id: UUID | None = None
    """The run whose runner it is; None for one of a pool."""
    kinds: Collection[str] = KINDS
    """Of a runner of a pool: what it has room for; nothing where it takes up nothing more."""

    def asks(self, now: datetime) -> Runner | None:
        """As who it asks what is due for it."""
        return Runner(self.namespace, self.run_id, self.kinds, now) if self.kinds else None


async def claim(context: Context, tx: Transaction, workspace_id: UUID, claimant: Claimant) -> RunnerTask | None:
    """Lease the claimant the next attempt that is due for it, and have it run."""
    if not claimant.kinds:
        return None
    now = context.now()
    held = of_runner(pooled=claimant.run_id is None)
    return await runner_tasks.claim(
        tx,
        workspace_id,
        claimant.namespace,
        claimant.run_id,
        holder=claimant.holder,
        now=now,
        lease_until=now + claimant.lease,
        kinds=claimant.kinds,
        rate=context.rate(held),
        held=held,
    )


def kept(
    context: Context, definition: Definition, run: LoadedRun, progress: Progress, claimant: Claimant, now: datetime
) -> tuple[Progress, RunnerTask | None]:
    """What follows from an end, with the attempt that the claimant goes on with at once, if there is one.

    That is never before others that are due for it: where some are, it is queued as all are, and claimed in its turn.
    """
    if run.others_due is None or run.others_due.any:
        return progress, None
    made = begun_by(
        context, definition, run.key, run.others_due.workspace, progress.steps, progress.tasks, claimant, now
    )
    if made is None:
        return progress, None
    return replace(progress, steps=made.steps, tasks=made.tasks), made.task


@dataclass(frozen=True)
class Begun:
    """What is recorded where a runner goes on with an attempt of it at once."""

    steps: tuple[StepRow, ...]
    tasks: tuple[TaskRow, ...]
    task: RunnerTask
    """The attempt."""


def begun_by(
    context: Context,
    definition: Definition,
    key: RunKey,
    workspace: str,
    steps: tuple[StepRow, ...],
    tasks: tuple[TaskRow, ...],
    claimant: Claimant,
    now: datetime,
) -> Begun | None:
    """The steps and tasks with the first attempt that is for the claimant running, and leased to it.

    None where none is. As if it had been queued and claimed by ``claim``.
    """
    task = min(
        (task for task in tasks if _may_go_on(definition, task, claimant, now)),
        key=lambda each: each.node,
        default=None,
    )
    if task is None:
        return None
    held = of_runner(pooled=claimant.run_id is None)
    leased = replace(task, due_at=now + claimant.lease, claimed_at=now, holder=claimant.holder)
    following = RunnerTask(
        TaskRef(key.workspace_id, key.id, task.node, task.attempt),
        workspace,
        definition.namespace,
        definition.workflow,
        task.work,
        now + timedelta(seconds=task.timeout_seconds),
    )
    running = {"phase": NodePhase.RUNNING.value, **running_parameters(now, context.rate(held), held)}
    return Begun(
        tuple(
            replace(step, **running) if (step.node, step.attempt) == (task.node, task.attempt) else step
            for step in steps
        ),
        tuple(leased if each is task else each for each in tasks),
        following,
    )


def _may_go_on(definition: Definition, task: TaskRow, claimant: Claimant, now: datetime) -> bool:
    if task.kind != "runner" or task.due_at != now or definition.namespace != claimant.namespace:
        return False
    if claimant.run_id is not None:
        return True
    # The kubelet gives Secrets to runners of a run's own alone.
    needs_secrets = definition.node(task.node).id in definition.need_secrets
    return not needs_secrets and any(kind in task.work for kind in claimant.kinds)
