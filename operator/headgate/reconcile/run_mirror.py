"""What a WorkflowRun's status says of its run."""

from __future__ import annotations

from datetime import datetime

from headgate.api.workflow_run import NodeStatus, RunPhase, WorkflowRun, WorkflowRunStatus
from headgate.domain.conditions import not_ready, ready, reconciling
from headgate.domain.run_status import duration, progress, seconds, summary, waiting_column, waiting_for
from headgate.engine.types import RunView


def mirrored(run: WorkflowRun, view: RunView, now: datetime) -> WorkflowRunStatus:
    """The status of a WorkflowRun whose run looks like that."""
    nodes = tuple(
        NodeStatus(
            id=node.id,
            phase=node.phase,
            attempt=node.attempt,
            started_at=seconds(node.started_at),
            finished_at=seconds(node.finished_at),
            reason=node.reason or None,
            message=node.message[:1024] or None,
        )
        for node in view.nodes
    )
    waiting = waiting_for(view.waiting)
    reason, message = summary(view.phase, waiting, view.error_message)
    generation, before = run.metadata.generation, run.status.conditions
    if view.phase is RunPhase.SUCCEEDED:
        conditions = ready(before, reason, message, generation, now)
    elif view.phase.is_final:
        conditions = not_ready(before, reason, message, generation, now, stalled=True)
    elif waiting:
        conditions = not_ready(before, reason, message, generation, now, stalled=False)
    else:
        conditions = reconciling(before, reason, message, generation, now)
    return WorkflowRunStatus(
        observed_generation=generation,
        conditions=conditions,
        phase=view.phase,
        run_id=str(view.run_id),
        workflow_version=view.version,
        started_at=seconds(view.started_at),
        finished_at=seconds(view.finished_at),
        duration=duration(view.started_at, view.finished_at),
        progress=progress(nodes),
        nodes=nodes,
        outputs=dict(view.outputs or {}),
        waiting_for=waiting,
        waiting=waiting_column(waiting),
    )
