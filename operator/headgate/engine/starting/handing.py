"""Hands the first attempt of a run that starts to a runner whose request waits for one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from headgate.domain.runner_task import RunnerTask
from headgate.engine.context import Context
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.going_on import Claimant, begun_by
from headgate.engine.types import RunRequest
from headgate.store.records import for_runners
from headgate.store.starting import NewRun


class Waiter(Protocol):
    """A request that waits, and is kept for one attempt: exactly one of its methods is to be called."""

    @property
    def workspace(self) -> str:
        """Name of its workspace."""
        ...

    @property
    def claimant(self) -> Claimant:
        """Whose request it is."""
        ...

    def give(self, task: RunnerTask) -> None:
        """The attempt is recorded as the claimant's. Where the request is gone, it is given back."""
        ...

    def let_go(self) -> None:
        """There is none: it goes on waiting."""
        ...

    def doubt(self, task: RunnerTask) -> None:
        """The attempt may have been recorded as the claimant's, or not: it goes on waiting, and that is given back."""
        ...


class Waiters(Protocol):
    """The requests of runners that wait in this process, of one workspace."""

    def kinds(self, namespace: str, wanted: Collection[str]) -> frozenset[str]:
        """For what those requests of the namespace's runners wait that have room for something ``wanted``."""
        ...

    def choose(self, namespace: str, wanted: Collection[str], among: Collection[str]) -> Waiter | None:
        """Keep the request that waits longest of those with room for something ``wanted``; None where none is.

        It has room for nothing but what is ``among`` these kinds.
        """
        ...


class Beginnings:
    """What the runs of each workflow began with last time: that is asked for before it is known of the next one."""

    MOST = 10_000

    def __init__(self) -> None:
        self._kinds: dict[tuple[UUID, str, str], frozenset[str]] = {}

    def of(self, request: RunRequest) -> frozenset[str]:
        """The kinds of the attempts for runners with which such a run begins; none where that is not known."""
        return self._kinds.get((request.workspace_id, request.namespace, request.workflow), frozenset())

    def note(self, run: NewRun, kinds: Collection[str]) -> None:
        """Such a run began with these."""
        key = (run.key.workspace_id, run.namespace, run.workflow)
        known = self._kinds.pop(key, None)
        if known is None and len(self._kinds) >= self.MOST:
            del self._kinds[next(iter(self._kinds))]
        self._kinds[key] = frozenset(kinds)


class Handing:
    """What becomes of one start: which request was kept for it, and what that is to be given."""

    def __init__(self, waiters: Waiters | None = None, beginnings: Beginnings | None = None) -> None:
        self._waiters = waiters
        self._beginnings = beginnings or Beginnings()
        self._kinds: frozenset[str] = frozenset()
        self._kept: tuple[Waiter, RunnerTask] | None = None

    def kinds(self, request: RunRequest) -> frozenset[str]:
        """Of which kinds nothing may be due where the run is to be begun at once; none where nobody waits for it."""
        wanted = self._beginnings.of(request) if self._waiters is not None else ()
        if self._waiters is not None and wanted:
            self._kinds = self._waiters.kinds(request.namespace, wanted)
        else:
            self._kinds = frozenset()
        return self._kinds

    def wait(self) -> None:
        """Something of these kinds is due: the run is queued behind it."""
        self._kinds = frozenset()

    def begin(self, context: Context, definition: Definition, run: NewRun) -> NewRun:
        """The run, begun by somebody who waits for nothing but those kinds. As it is where nobody does."""
        self.let_go()
        if self._waiters is None or not run.apart.is_normal:
            return run
        wanted = for_runners(run.tasks)
        self._beginnings.note(run, wanted)
        if not self._kinds:
            return run
        waiter = self._waiters.choose(definition.namespace, wanted, self._kinds)
        if waiter is None:
            return run
        begun = begun_by(context, definition, run.key, waiter.workspace, run.steps, run.tasks, waiter.claimant, run.now)
        if begun is None:
            waiter.let_go()
            return run
        self._kept = waiter, begun.task
        return replace(run, steps=begun.steps, tasks=begun.tasks)

    def give(self) -> None:
        """The run was recorded, as far as it was begun."""
        if kept := self._let_go():
            kept[0].give(kept[1])

    def let_go(self) -> None:
        """Nothing of it was, or will be, recorded."""
        if kept := self._let_go():
            kept[0].let_go()

    def doubt(self) -> None:
        """It may have been recorded: nobody tells."""
        if kept := self._let_go():
            kept[0].doubt(kept[1])

    def _let_go(self) -> tuple[Waiter, RunnerTask] | None:
        kept, self._kept = self._kept, None
        return kept
