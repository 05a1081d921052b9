"""What runners ask for: the next attempt, more time for one, and that its end be recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from starlette.requests import Request
from starlette.routing import Route

from headgate.domain.runner_protocol import (
    CLAIM_PATH,
    COMPLETE_PATH,
    CREDENTIALS_PATH,
    CURSOR_PATH,
    HEARTBEAT_PATH,
    RELEASE_PATH,
    Answer,
    Attempt,
    Claim,
    Completion,
    Cursor,
    Kept,
    Mark,
    Released,
    Task,
    Wanted,
)
from headgate.domain.runner_task import KINDS, RunnerTask, is_pool_runner, is_runner_of
from headgate.domain.sync import Reached
from headgate.domain.task import Outcome, TaskRef
from headgate.engine.credentials.credentials import Credentials
from headgate.engine.steps.going_on import Claimant
from headgate.engine.steps.runner_tasks import RunnerTasks
from headgate.engine.sync.cursors import SyncCursors
from headgate.engine.types import Effects, LeaseLost
from headgate.gateway.authentication import Authenticator, Runner, check_runner
from headgate.gateway.messages import message_route
from headgate.gateway.problems import Problem
from headgate.gateway.waiting_room import WaitingRoom


def runner_routes(
    tasks: RunnerTasks,
    credentials: Credentials,
    cursors: SyncCursors,
    authenticator: Authenticator,
    *,
    lease: timedelta,
    wall: Callable[[], datetime],
    heard: Callable[[str, Effects], None],
    room: WaitingRoom,
) -> list[Route]:
    """The routes. ``heard`` is told the workspace and the effects of every transaction.

    Runners of pools wait in ``room``, which is to be told when there is something to do.
    """
    attempts = _Attempts(tasks, lease, wall, heard, room)
    needs = _Needs(credentials, cursors)
    return [
        message_route(CLAIM_PATH, Claim, authenticator, attempts.claim),
        message_route(HEARTBEAT_PATH, Attempt, authenticator, attempts.heartbeat),
        message_route(COMPLETE_PATH, Completion, authenticator, attempts.complete),
        message_route(RELEASE_PATH, Attempt, authenticator, attempts.give_back),
        message_route(CREDENTIALS_PATH, Wanted, authenticator, needs.release, secret=True),
        message_route(CURSOR_PATH, Cursor, authenticator, needs.cursor),
    ]


@dataclass(frozen=True)
class _Attempts:
    """How attempts come to runners, and end."""

    tasks: RunnerTasks
    lease: timedelta
    wall: Callable[[], datetime]
    heard: Callable[[str, Effects], None]
    room: WaitingRoom

    async def claim(self, body: Claim, caller: Runner, request: Request) -> Answer:
        """The next attempt of the runner's run; for one of a pool, of any run of its namespace."""
        if body.run_id is None:
            return self._answer(await self._of_any(body, caller, request.is_disconnected))
        if not is_runner_of(caller.pod, body.run_id):
            raise Problem(HTTPStatus.FORBIDDEN, f"pod {caller.pod} is no runner of that run")
        task, effects = await self.tasks.claim(
            caller.workspace_id, caller.namespace, body.run_id, caller.holder, self.lease
        )
        self.heard(caller.workspace, effects)
        return self._answer(task)

    async def heartbeat(self, body: Attempt, caller: Runner, _: Request) -> Kept:
        """Keep an attempt that the runner holds, and learn whether it is to end."""
        return Kept(stop=await self.tasks.heartbeat(_ref(caller, body), caller.holder, self.lease))

    async def complete(self, body: Completion, caller: Runner, _: Request) -> Answer:
        """Record the end of an attempt that the runner holds; the next one of its run or, of a pool, of any."""
        # A run's own runner ends, and its log is read then.
        pooled = is_pool_runner(caller.pod)
        task, effects = await self.tasks.complete(
            _ref(caller, body),
            caller.namespace,
            _outcome(body),
            caller.holder,
            self.lease,
            body.kinds if pooled else None,
            body.result.printed.log if pooled and body.result.printed is not None else None,
        )
        self.heard(caller.workspace, replace(effects, for_runners=_but(effects.for_runners, task)))
        return self._answer(task)

    async def give_back(self, body: Attempt, caller: Runner, _: Request) -> None:
        """Let another runner begin an attempt that the runner holds and will not end."""
        self.heard(caller.workspace, await self.tasks.give_back(_ref(caller, body), caller.holder))

    async def _of_any(self, body: Claim, caller: Runner, gone: Callable[[], Awaitable[bool]]) -> RunnerTask | None:
        if not is_pool_runner(caller.pod):
            raise Problem(HTTPStatus.FORBIDDEN, f"pod {caller.pod} is no runner of a pool: name its run")
        claimant = Claimant(caller.holder, caller.namespace, self.lease, kinds=body.kinds)
        return await self.room.first(caller.workspace, _Seeking(self, caller, claimant, gone), body.wait_seconds)

    def _answer(self, task: RunnerTask | None) -> Answer:
        if task is None:
            return Answer()
        return Answer(
            task=Task(
                run_id=task.ref.run_id,
                node=task.ref.node,
                attempt=task.ref.attempt,
                workspace=task.workspace,
                namespace=task.namespace,
                workflow=task.workflow,
                work={kind: task.work[kind] for kind in KINDS if kind in task.work},
                timeout_seconds=max(0.0, (task.expires_at - self.wall()).total_seconds()),
                lease_seconds=self.lease.total_seconds(),
            )
        )


@dataclass(frozen=True)
class _Seeking:
    """A request of a runner of a pool: the waiting room's ``Seeker``."""

    attempts: _Attempts
    caller: Runner
    claimant: Claimant
    gone: Callable[[], Awaitable[bool]]

    async def look(self) -> RunnerTask | None:
        """Claim what is due."""
        it = self.claimant
        task, effects = await self.attempts.tasks.claim(
            self.caller.workspace_id, it.namespace, None, it.holder, it.lease, it.kinds
        )
        self.attempts.heard(self.caller.workspace, effects)
        return task

    async def give_back(self, task: RunnerTask) -> None:
        """Let another one have what is leased to the runner, if it is."""
        with suppress(LeaseLost):
            effects = await self.attempts.tasks.give_back(task.ref, self.claimant.holder)
            self.attempts.heard(self.caller.workspace, effects)


@dataclass(frozen=True)
class _Needs:
    """What attempts ask for while they run."""

    credentials: Credentials
    cursors: SyncCursors

    async def release(self, body: Wanted, caller: Runner, _: Request) -> Released:
        """What the node of an attempt that the runner holds names of credentials, each time recorded."""
        check_runner(caller, body.run_id)
        found = await self.credentials.release(_ref(caller, body), body.names, caller.holder)
        return Released(values={name: dict(values.by_key) for name, values in found.items()})

    async def cursor(self, body: Cursor, caller: Runner, _: Request) -> Mark:
        """How far the copy of an attempt that the runner holds has come, or that it has come further."""
        check_runner(caller, body.run_id)
        ref = _ref(caller, body)
        if body.moved is None:
            reached = await self.cursors.take(ref, caller.holder)
            return Mark(at=reached.at, until=reached.until)
        await self.cursors.move(ref, caller.holder, Reached(body.moved.at, body.moved.until), body.records)
        return body.moved


def _but(kinds: tuple[str, ...], task: RunnerTask | None) -> tuple[str, ...]:
    """Without one of the kind that was taken: who waits is not woken for what goes on without."""
    left = list(kinds)
    for kind in task.work if task is not None else ():
        if kind in left:
            left.remove(kind)
    return tuple(left)


def _outcome(completion: Completion) -> Outcome:
    result = completion.result
    return Outcome(
        succeeded=result.succeeded,
        output=result.output,
        reason=result.reason,
        message=result.message,
        exit_code=result.exit_code,
    )


def _ref(caller: Runner, attempt: Attempt) -> TaskRef:
    """The attempt, in the workspace that the token tells."""
    return TaskRef(caller.workspace_id, attempt.run_id, attempt.node, attempt.attempt)
