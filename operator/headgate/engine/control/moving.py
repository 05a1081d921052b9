"""Takes a run on that people steered, as far as it goes by itself and there is room for what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate.api.workflow_run import RunPhase
from headgate.domain.graph import NodeState
from headgate.domain.storage import StorageLeft
from headgate.engine.context import Context
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.stepping import Progress, advance
from headgate.store import control, storage
from headgate.store.database import Transaction
from headgate.store.records import StepRow
from headgate.store.runs import LoadedRun


@dataclass(frozen=True)
class Writes:
    """What is written besides what the run does by itself. See ``control.go_on``."""

    steps: tuple[StepRow, ...] = ()
    gone: Sequence[tuple[str, int]] = ()
    stopping: Sequence[tuple[str, int]] = ()
    ends_as: RunPhase | None = None
    deadline: datetime | None = None
    error_message: str | None = None


async def move_on(
    context: Context,
    tx: Transaction,
    definition: Definition,
    run: LoadedRun,
    states: Mapping[str, NodeState],
    writes: Writes,
    now: datetime,
) -> tuple[Progress, list[tuple[str, int]]]:
    """Let the run go on from ``states``. What it did, and the attempts out of ``writes.gone`` that may have a Job.

    What its own outputs take is counted, though they are not written yet: end it in the same transaction. A node whose
    value finds no room fails.
    """

    async def move(left: StorageLeft | None = None) -> tuple[Progress, list[tuple[str, int]] | None]:
        facts = Facts(tx, run.key, definition.workflow_id)
        progress = await advance(
            definition,
            run.key.id,
            states,
            facts,
            context.evaluator,
            now,
            ends_as=writes.ends_as,
            apart=run.apart,
            left=left,
        )
        return progress, await control.go_on(
            tx,
            run.key,
            namespace=definition.namespace,
            workflow=definition.workflow,
            steps=(*writes.steps, *progress.steps),
            tasks=progress.tasks,
            gone=writes.gone,
            stopping=writes.stopping,
            ends_as=writes.ends_as,
            deadline=writes.deadline,
            error_message=writes.error_message,
            outputs=None if writes.ends_as is not None else progress.outputs,
        )

    progress, lost = await move()
    if lost is None:
        progress, lost = await move(await storage.left(tx, run.key.workspace_id))
    if lost is None:
        raise AssertionError("unreachable: what was decided by what is left fits")
    return progress, lost
