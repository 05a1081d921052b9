"""A run as it is shown: what is recorded of its nodes, and what they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.spread import index_of, node_of
from headgate.domain.task import Waiting
from headgate.engine.bounds import clip
from headgate.engine.definitions.definition import Definition
from headgate.engine.reading.reasons import waiting_for_approval, waiting_for_called, waiting_for_room
from headgate.engine.views import ComputeView, NodeView, RunView, TriggerKind
from headgate.store.records import TaskRow
from headgate.store.starting import NewRun, Origin


def begun(definition: Definition, run: NewRun, origin: Origin) -> RunView:
    """A Normal run that has started, as it is read back before anything else happens to it."""
    order = shown_nodes(definition)
    steps = {step.node: {**vars(step), "cost": None} for step in run.steps}
    return RunView(
        workspace_id=run.key.workspace_id,
        run_id=run.key.id,
        namespace=run.namespace,
        workflow=run.workflow,
        version=definition.number,
        resource=origin.resource,
        phase=RunPhase(run.status),
        started_at=run.key.started_at,
        finished_at=run.finished_at,
        nodes=node_views(order, steps),
        waiting=node_waiting(order, [_queued(task) for task in run.tasks if _is_told_of(task)]),
        error_message=run.error_message,
        outputs=run.outputs,
        priority=origin.priority,
        kind=TriggerKind(origin.kind),
        labels=origin.labels,
    )


def shown_nodes(definition: Definition) -> tuple[str, ...]:
    """The nodes of which a view tells, in their order: triggers left out."""
    return definition.graph.shown


def node_views(nodes: Iterable[str], steps: Mapping[str, Mapping[str, Any]]) -> tuple[NodeView, ...]:
    """Nodes as their latest attempts, by name, have them."""
    items = _items_of(steps)
    return tuple(_node_view(node, steps.get(node), items.get(node, [])) for node in nodes)


def attempt_views(rows: Iterable[Mapping[str, Any]]) -> tuple[NodeView, ...]:
    """Every attempt, by node and number; those of a node's items follow its own, under the names of the items."""
    known = sorted(rows, key=_place)
    items = _items_of({row["node"]: row for row in known})
    return tuple(_node_view(row["node"], row, items.get(row["node"], [])) for row in known)


def _place(row: Mapping[str, Any]) -> tuple[str, int, int]:
    index = index_of(row["node"])
    return node_of(row["node"]), -1 if index is None else index, row["attempt"]


def node_waiting(nodes: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> tuple[Waiting, ...]:
    """What nodes wait for, in their order, by what the queue says of their attempts."""
    order = {node: index for index, node in enumerate(nodes)}
    waiting: dict[tuple[str, str], Waiting] = {}
    for row in sorted(rows, key=lambda row: str(row["node"])):
        # Of the items of a list that wait for the same, one speaks for all.
        told = _task_waiting({**row, "node": node_of(row["node"])})
        waiting.setdefault((told.node or "", told.reason), told)
    return tuple(sorted(waiting.values(), key=lambda item: order.get(item.node or "", 0)))


def utc(time: datetime | str | None) -> datetime | None:
    """The time as views have it; as a text where it comes out of JSON."""
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return None if time is None else time.astimezone(UTC)


def _is_told_of(task: TaskRow) -> bool:
    waits = task.kind in ("call", "approval") or (task.kind == "runner" and task.holder is None)
    return task.waiting_reason is not None or waits


def _queued(task: TaskRow) -> dict[str, Any]:
    """The attempt as it is read from the queue, of which nobody has taken any notice yet."""
    return {
        "node": task.node,
        "reason": task.waiting_reason,
        "message": task.waiting_message,
        "until": task.waiting_until,
        "kind": task.kind,
        "due": task.due_at,
        "asks": task.work.get("approval", {}).get("message"),
        "called": None,
        "room": None,
    }


def _items_of(steps: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The attempts for items of lists, by their nodes."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, step in steps.items():
        if index_of(name) is not None:
            found.setdefault(node_of(name), []).append(step)
    return found


@lru_cache(maxsize=4096)
def _not_begun(node: str) -> NodeView:
    """A node that has not begun looks alike in all runs."""
    return NodeView(node, NodePhase.PENDING, 0, None, None, "", "")


def _node_view(node: str, step: Mapping[str, Any] | None, items: list[Mapping[str, Any]]) -> NodeView:
    if step is None:
        return _not_begun(node)
    if items and step["phase"] == NodePhase.RUNNING.value:
        done = sum(NodePhase(item["phase"]).is_final for item in items)
        step = {**step, "message": f"{done} of {len(step['output'])} items done", "output": None}
    return NodeView(
        id=node,
        phase=NodePhase(step["phase"]),
        attempt=step["attempt"],
        started_at=utc(step["attempt_started_at"]),
        finished_at=utc(step["attempt_finished_at"]),
        reason=step["reason"],
        message=step["message"],
        output=step["output"],
        cost=Decimal(step["cost"]) if step["cost"] is not None else None,
        price_version=step["price_version"],
        requested=_compute(step["cpu_requested"], step["memory_requested"]),
        used=_compute(step["cpu_used"], step["memory_used"]),
    )


def _compute(cpu: str | None, memory: str | None) -> ComputeView | None:
    return ComputeView(Decimal(cpu), Decimal(memory)) if cpu is not None and memory is not None else None


def _task_waiting(row: Mapping[str, Any]) -> Waiting:
    """What a task says that it waits for or, where it says nothing, what its kind waits for."""
    if row["reason"] is not None:
        return Waiting(row["reason"], row["message"] or "", row["node"], utc(row["until"]))
    match row["kind"]:
        case "call":
            return Waiting("CalledRun", clip(waiting_for_called(row["called"])), row["node"])
        case "approval":
            return Waiting("Approval", clip(waiting_for_approval(row["asks"])), row["node"], utc(row["due"]))
        case "job":
            return Waiting("Unschedulable", clip(waiting_for_room(row["room"])), row["node"])
        case _:
            return Waiting("Runner", "no runner of the workspace has taken it on yet", row["node"])
