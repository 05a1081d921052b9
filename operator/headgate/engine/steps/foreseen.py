"""What is known of a run before the end of an attempt is told, so that it need not be read to record that end.

Whoever records an end knows what it made of the run. Where all that is left to happen to it is the attempt that a
runner goes on with, that runner's next word finds the run as it was left, but for what somebody did to it from outside:
cancelled, suspended or retried it. The statement that records the end looks whether that is so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.api.workflow_run import NodePhase
from headgate.domain.runner_task import LOSSES, RunnerTask
from headgate.domain.task import Outcome, TaskRef
from headgate.engine.context import Context
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.going_on import Claimant
from headgate.engine.steps.stepping import Progress
from headgate.store.database import Transaction
from headgate.store.records import TaskRow, size
from headgate.store.runs import Claimable, LoadedRun, OpenTask

MOST_NODES = 50_000
"""Of all runs that are kept in mind. The one of which nothing was heard for longest is forgotten first."""
OUTPUT_BYTES = 16_384
"""Of the outputs of one run that are kept in mind."""
_OPEN = (NodePhase.QUEUED, NodePhase.RUNNING)


@dataclass(frozen=True)
class Foreseen:
    """A run as it is when the end of its only open attempt is told."""

    definition: Definition
    run: LoadedRun
    """With that attempt's task, and with nothing else that is due for its runner."""
    inputs: Mapping[str, Any] | None = None
    """Where an expression had to be evaluated before."""
    event: Mapping[str, Any] | None = None
    """As ``Facts`` has it."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Those, by node, that expressions of the workflow read; as many as are small."""

    def expected(self, context: Context, claimant: Claimant) -> Mapping[str, Any]:
        """What has to be so still, as parameters of the statement that records the end."""
        return {
            "holder": claimant.holder,
            "kinds": list(claimant.kinds),
            "losses": LOSSES,
            "now": context.now(),
        }

    def facts(self, tx: Transaction) -> Facts:
        """What is known of the run by now. What is not, ``tx`` is asked for."""
        known = dict(self.outputs)
        return Facts(tx, self.run.key, self.definition.workflow_id, self.inputs, self.event, fresh=known)


def foresee(
    definition: Definition,
    run: LoadedRun,
    progress: Progress,
    facts: Facts,
    following: RunnerTask | None,
    claimant: Claimant,
) -> Foreseen | None:
    """The run once the end of ``following`` is told; None where other things may happen to it before."""
    # A run with a runner of its own is read: that runner executes a few nodes, and takes longer for each.
    if following is None or claimant.run_id is not None:
        return None
    node = following.ref.node
    if any(state.phase in _OPEN and name != node for name, state in progress.states.items()):
        return None
    [task] = progress.tasks
    others = Claimable(any=False, workspace=following.workspace)
    left = replace(run, states=(), known=progress.states, task=_open(task), others_due=others)
    return Foreseen(definition, left, facts.inputs, facts.event, _worth_keeping(definition, facts.fresh))


def _worth_keeping(definition: Definition, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    read = frozenset[str]().union(*definition.reads.values())
    kept: dict[str, Any] = {}
    left = OUTPUT_BYTES
    for name in read & outputs.keys():
        left -= size(outputs[name])
        if left < 0:
            break
        kept[name] = outputs[name]
    return kept


def can_be_recorded(foreseen: Foreseen, outcome: Outcome, claimant: Claimant | None) -> bool:
    """Whether recording such an end takes no more than a statement."""
    task = foreseen.run.task
    return (
        claimant is not None
        and claimant.run_id is None
        and outcome.succeeded
        and task is not None
        and task.holder == claimant.holder
        and "memo" not in task.work
    )


class Foresight:
    """Runs that are kept in mind, each until the end that it waits for is told."""

    def __init__(self, most_nodes: int = MOST_NODES) -> None:
        self._most = most_nodes
        self._nodes = 0
        self._known: OrderedDict[TaskRef, Foreseen] = OrderedDict()

    def keep(self, ref: TaskRef, foreseen: Foreseen) -> None:
        """Keep in mind what will be when the end of ``ref`` is told."""
        self.take(ref)
        self._known[ref] = foreseen
        self._nodes += _nodes(foreseen)
        while self._nodes > self._most:
            _, oldest = self._known.popitem(last=False)
            self._nodes -= _nodes(oldest)

    def take(self, ref: TaskRef) -> Foreseen | None:
        """What was kept in mind for the end of ``ref``, once."""
        found = self._known.pop(ref, None)
        if found is not None:
            self._nodes -= _nodes(found)
        return found


def _nodes(foreseen: Foreseen) -> int:
    return len(foreseen.definition.graph.nodes)


def _open(task: TaskRow) -> OpenTask:
    return OpenTask(task.work, task.timeout_seconds, task.kind, first_attempt=task.first_attempt, holder=task.holder)
