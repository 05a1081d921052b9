"""Hands the first attempt of a run that starts to a runner whose request waits for one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Protocol

from headgate.domain.runner_task import RunnerTask
from headgate.engine.context import Context
from headgate.engine.definitions.definition import Definition
from headgate.engine.steps.going_on import Claimant, begun_by
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

    def kinds(self, namespace: str) -> frozenset[str]:
        """For what requests of the namespace's runners wait."""
        ...

    def choose(self, namespace: str, wanted: Collection[str], among: Collection[str]) -> Waiter | None:
        """Keep the request that waits longest of those with room for something ``wanted``; None where none is.

        It has room for nothing but what is ``among`` these kinds.
        """
        ...


class Handing:
    """What becomes of one start: which request was kept for it, and what that is to be given."""

    def __init__(self, waiters: Waiters | None = None) -> None:
        self._waiters = waiters
        self._kinds: frozenset[str] = frozenset()
        self._kept: tuple[Waiter, RunnerTask] | None = None

    def kinds(self, namespace: str) -> frozenset[str]:
        """Of which kinds nothing may be due where a run is to be begun at once; none where nobody waits."""
        self._kinds = self._waiters.kinds(namespace) if self._waiters is not None else frozenset()
        return self._kinds

    def wait(self) -> None:
        """Something of these kinds is due: the run is queued behind it."""
        self._kinds = frozenset()

    def begin(self, context: Context, definition: Definition, run: NewRun) -> NewRun:
        """The run, begun by somebody who waits for nothing but those kinds. As it is where nobody does."""
        self.let_go()
        wanted = for_runners(run.tasks) if self._kinds and run.apart.is_normal else ()
        if self._waiters is None or not wanted:
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
