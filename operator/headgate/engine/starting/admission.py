"""Admits runs: each key once, within the workspace's limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.api.debugging import Debug, RunMode
from headgate.api.workflow_run import RunPhase
from headgate.domain.apart import NORMAL, Apart
from headgate.domain.durations import parse_duration
from headgate.domain.graph import NodeState
from headgate.domain.ids import uuid7_time
from headgate.domain.storage import LIMIT, StorageLeft
from headgate.engine.acts import started
from headgate.engine.audit import record
from headgate.engine.breakers import settle
from headgate.engine.context import Context, milliseconds
from headgate.engine.definitions.definition import Definition, UnreadableVersion
from headgate.engine.reading import run_views
from headgate.engine.reading.reasons import WAITING_MESSAGES
from headgate.engine.starting.apart import begun, state_of
from headgate.engine.starting.concurrency import mutex_of, told_of_holder
from headgate.engine.starting.handing import Handing
from headgate.engine.starting.replay import meant
from headgate.engine.starting.requests import choose_trigger, resolve_inputs, too_deep, unfit_debug, unfit_labels
from headgate.engine.steps.facts import Facts
from headgate.engine.steps.outcome import error_message, finished
from headgate.engine.steps.stepping import Progress, advance
from headgate.engine.types import Admitted, Effects, Refused, RunRequest
from headgate.store import admission_targets, control, starting, storage
from headgate.store.database import Transaction
from headgate.store.records import RunKey, StepRow, for_calls, for_runners

QUEUED = "Queued"
"""Reason of a run that waits only because others came before it."""
WITHDRAWN = Refused("Cancelled", "the request was withdrawn before it made a run")


async def admit(context: Context, request: RunRequest, handing: Handing) -> tuple[Admitted | Refused, Effects, bool]:
    """Admit a run in one transaction. The last value says whether older runs should be started now.

    The run starts, or is recorded as Pending with the reason where the workspace has no room for it. The same key
    gives the same run again, whoever asks, however often and however much at once.
    """
    async with context.database.tenant(request.workspace_id, by_index=True) as tx:
        return await admit_in(context, tx, request, context.now(), handing)


async def admit_in(
    context: Context, tx: Transaction, request: RunRequest, now: datetime, handing: Handing | None = None
) -> tuple[Admitted | Refused, Effects, bool]:
    """``admit`` as a part of a transaction of the request's workspace.

    The first attempt of a run that starts is begun by who waits for it, as ``handing`` has it, where nothing else is
    due for them. That is to be told then what became of the transaction.
    """
    workspace_id, handing = request.workspace_id, handing or Handing()
    kinds = handing.kinds(request)
    target = await admission_targets.find_target(
        tx, workspace_id, request.namespace, request.workflow, request.key, now, kinds
    )
    if target.others_due:
        handing.wait()
    if target.key_used:
        return _earlier(target.run_id), Effects(), False
    if target.workflow_id is None or target.version_id is None:
        return Refused("WorkflowNotFound", f"there is no accepted workflow {request.workflow!r}"), Effects(), False
    wanted = await meant(tx, request, target.workflow_id, target.version_id)
    asked = wanted if isinstance(wanted, Refused) else await _understand(context, tx, *wanted)
    if isinstance(asked, Refused):
        return asked, Effects(), False
    return await _record(context, tx, now, handing, *asked)


async def _record(
    context: Context,
    tx: Transaction,
    now: datetime,
    handing: Handing,
    request: RunRequest,
    definition: Definition,
    trigger: str,
    inputs: dict[str, Any],
) -> tuple[Admitted | Refused, Effects, bool]:
    workspace_id = request.workspace_id
    run_id = context.new_id(now)
    key = RunKey(workspace_id, run_id, uuid7_time(run_id))
    apart = Apart(request.mode, request.debug or Debug())
    first = () if apart.is_normal else await begun(tx, definition, apart.debug, workspace_id)
    if isinstance(first, Refused):
        return first, Effects(), False
    states = definition.graph.started_by(trigger) | {row.node: state_of(row) for row in first}

    async def begin(left: StorageLeft | None = None) -> starting.NewRun:
        facts = Facts(tx, key, definition.workflow_id, inputs, request.event, recorded=False)
        facts.fresh.update({row.node: row.output for row in first})
        return await decide(context, definition, key, states, facts, now, apart=apart, first=first, left=left)

    run = await begin()
    mutex = await mutex_of(definition, run_id, inputs, context.evaluator) if apart.is_normal else None
    if isinstance(mutex, Refused):
        return mutex, Effects(), False
    origin = _origin(definition, request, trigger, inputs, mutex)
    run = handing.begin(context, definition, run)
    verdict = await starting.admit(tx, run, origin)
    if verdict is not None and verdict.reason == starting.NARROW:
        run = await begin((await storage.left(tx, workspace_id)).after(origin.bytes))
        run = handing.begin(context, definition, run)
        verdict = await starting.admit(tx, run, origin)
    if verdict is None or verdict.reason is not None:
        handing.let_go()
    if verdict is not None and verdict.refused:
        left = await storage.left(tx, workspace_id) if verdict.reason == LIMIT else None
        return refused(verdict, left, origin.bytes), Effects(), False
    if verdict is None:
        # Somebody else's request with this key was kept between our look and our attempt.
        target = await admission_targets.find_target(
            tx, workspace_id, request.namespace, request.workflow, request.key, now
        )
        return _earlier(target.run_id), Effects(), False
    effects = await follow_up(tx, run, verdict)
    if request.by is not None:
        await record(tx, workspace_id, now, started(request.by, request, definition, run_id))
    view = run_views.begun(definition, run, origin) if verdict.reason is None and apart.is_normal else None
    answer = Admitted(run_id, duplicate=False, view=view, waits_for=verdict.reason)
    return answer, effects, verdict.reason == QUEUED


async def _understand(
    context: Context, tx: Transaction, request: RunRequest, version_id: UUID
) -> tuple[RunRequest, Definition, str, dict[str, Any]] | Refused:
    """The request with the version, the trigger node and all inputs that it amounts to."""
    try:
        definition = await context.definitions.get(tx, request.workspace_id, version_id)
    except UnreadableVersion as problem:
        return Refused("UnreadableVersion", str(problem))
    unfit = too_deep(request) or unfit_labels(request) or unfit_debug(request)
    trigger = unfit or choose_trigger(definition.graph, request)
    if isinstance(trigger, Refused):
        return trigger
    inputs = resolve_inputs(definition.spec.inputs, definition.input_schemas, request.inputs)
    return inputs if isinstance(inputs, Refused) else (request, definition, trigger, inputs)


def _origin(
    definition: Definition, request: RunRequest, trigger: str, inputs: Mapping[str, Any], mutex: str | None
) -> starting.Origin:
    parent = request.parent
    return starting.Origin(
        version_id=definition.version_id,
        kind=request.kind.value,
        key=request.key,
        node=trigger,
        resource=request.resource,
        inputs=inputs,
        mode=request.mode.value,
        priority=definition.spec.priority if request.priority is None else request.priority,
        mutex=mutex,
        concurrency_limit=definition.spec.concurrency.limit if request.mode is RunMode.NORMAL else None,
        depth=request.depth,
        parent=(parent.run_id, parent.node, parent.attempt) if parent is not None else None,
        callers=request.callers,
        event=request.event,
        options=request.debug.to_wire() if request.debug is not None else {},
        replay_of=request.replay_of,
        labels=request.labels,
    )


async def follow_up(tx: Transaction, run: starting.NewRun, verdict: starting.Verdict) -> Effects:
    """What follows from the start of a run, which may be its end, or from having to wait."""
    if verdict.reason is not None:
        return Effects(frozenset([run.key.id]))
    effects = Effects(
        frozenset([run.key.id]),
        tasks_queued=bool(run.tasks),
        for_runners=for_runners(run.tasks),
        to_chain=for_calls(run.tasks) or run.finished_at is not None,
    )
    if run.held is not None:
        await control.hold(tx, run.key, run.held, replace(run.apart, at=run.held).options(), run.now)
    effects |= await told_of_holder(tx, run.key.workspace_id, verdict)
    if verdict.probe is not None:
        effects |= Effects(breakers=frozenset([run.key.workspace_id]))
    if run.finished_at is not None and run.apart.is_normal:
        phase = RunPhase(run.status)
        effects |= Effects(finished=(finished(run.key, run.namespace, phase, run.now),))
        effects |= await settle(tx, run.key.workspace_id, phase, run.now, since=run.now, probe=verdict.probe)
    return effects


def refused(verdict: starting.Verdict, left: StorageLeft | None = None, given: int = 0) -> Refused:
    """The answer to a request for which there is no room, where the plan says that it does not wait.

    ``left`` is what storage is left for the bytes that it was ``given``, where that is why.
    """
    reason = verdict.reason or ""
    if left is not None and not left.fits(given):
        return Refused(reason, left.refusal("what the run is given", given))
    until = verdict.until.astimezone(UTC) if verdict.until is not None else None
    when = f"from {until:%Y-%m-%dT%H:%M:%SZ} on" if until is not None else "later"
    return Refused(reason, f"{WAITING_MESSAGES.get(reason, reason)}; it may succeed {when}, by another request", until)


async def decide(
    context: Context,
    definition: Definition,
    key: RunKey,
    states: Mapping[str, NodeState],
    facts: Facts,
    now: datetime,
    *,
    apart: Apart = NORMAL,
    first: tuple[StepRow, ...] = (),
    left: StorageLeft | None = None,
) -> starting.NewRun:
    """A run of ``definition``, from ``states`` on, as it is once it has gone as far as it goes by itself.

    ``first`` is what is recorded besides what it does, ``left`` what room there is, as ``advance`` has it.
    """
    progress = await advance(definition, key.id, states, facts, context.evaluator, now, apart=apart, left=left)
    return new_run(definition, key, progress, now, apart=apart, first=first)


def new_run(
    definition: Definition,
    key: RunKey,
    progress: Progress,
    now: datetime,
    *,
    apart: Apart = NORMAL,
    first: tuple[StepRow, ...] = (),
) -> starting.NewRun:
    """What there is to record of a run that starts now, ``first`` before what it does itself."""
    ended = progress.outcome is not None
    timeout = parse_duration(definition.spec.timeout) if definition.spec.timeout is not None else None
    return starting.NewRun(
        key=key,
        workflow_id=definition.workflow_id,
        namespace=definition.namespace,
        workflow=definition.workflow,
        now=now,
        today=now.date(),
        status=(progress.outcome or RunPhase.RUNNING).value,
        deadline=_deadline(now, timeout) if not ended else None,
        finished_at=now if ended else None,
        duration_ms=milliseconds(now - key.started_at) if ended else None,
        error_message=progress.error or error_message(definition.graph, progress.states, progress.outcome),
        outputs=progress.outputs,
        steps=(*first, *progress.steps),
        tasks=progress.tasks,
        apart=apart,
        held=progress.held,
    )


def _deadline(now: datetime, timeout: timedelta | None) -> datetime | None:
    try:
        return now + timeout if timeout is not None else None
    except OverflowError:
        return None


def _earlier(run_id: UUID | None) -> Admitted | Refused:
    return WITHDRAWN if run_id is None else Admitted(run_id, duplicate=True)
