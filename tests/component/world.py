"""What tests of the engine speak in: a clock that is set by hand, expressions with given values, and short words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from headgate.api.budget import Budget
from headgate.api.circuit_breaker import CircuitBreaker
from headgate.api.quota import Limits, OnExceeded
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.envelope import KeyRing
from headgate.engine.engine import Engine
from headgate.engine.types import (
    Admitted,
    ClaimTerms,
    Effects,
    ExpressionError,
    Fired,
    JobTask,
    Outcome,
    Refused,
    RunRequest,
    RunView,
    TaskRef,
    TriggerKind,
    VersionRecord,
    WorkspaceRecord,
)
from headgate.store.database import Database
from tests.builders import WorkflowBuilder, a_workflow

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
KEYS = KeyRing("2026-01", {"2026-01": bytes(range(32))})
"""The key-encryption keys that the engine has."""


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **length: float) -> datetime:
        """Move on by ``seconds=...``, ``minutes=...`` and so on."""
        self.now += timedelta(**length)
        return self.now


@dataclass
class Evaluations:
    """Expressions by their values. A value that is an exception is raised; a function is given the variables."""

    values: dict[str, Any] = field(default_factory=dict)
    seen: list[Mapping[str, Any]] = field(default_factory=list)

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        [value] = await self.evaluate_many([expression], variables)
        if isinstance(value, ExpressionError):
            raise value
        return value

    async def evaluate_many(
        self, expressions: Sequence[str], variables: Mapping[str, Any]
    ) -> list[Any | ExpressionError]:
        self.seen.append(variables)
        found: list[Any] = []
        for expression in expressions:
            value = self.values[expression]
            if isinstance(value, Exception) and not isinstance(value, ExpressionError):
                raise value
            found.append(value(variables) if callable(value) else value)
        return found


@dataclass
class World:
    """An engine, and what a test does with it. The workspace is ``acme`` unless another one is named."""

    database: Database
    superuser_url: str
    clock: Clock
    expressions: Evaluations
    ids: dict[str, UUID] = field(default_factory=dict)
    keys: int = 0
    url: str = ""
    """Of the database, for those who want a pool of their own."""

    def __post_init__(self) -> None:
        self.engine = self.another_engine()

    def another_engine(self) -> Engine:
        """A second replica."""
        return Engine(self.database, self.expressions, clock=self.clock, keys=KEYS)

    async def given_workspace(
        self,
        name: str = "acme",
        *,
        suspended: bool = False,
        on_exceeded: OnExceeded = OnExceeded.QUEUE,
        pot: str | None = None,
        breaker: CircuitBreaker | None = None,
        weight: int = 1,
        limits: Limits | None = None,
        budget: Budget | None = None,
        **named_limits: int,
    ) -> UUID:
        """Record a workspace; limits as they are, or by their names in ``Limits``."""
        record = WorkspaceRecord(
            name,
            limits or Limits(**named_limits),
            suspended,
            on_exceeded,
            pot,
            breaker=breaker or CircuitBreaker(),
            weight=weight,
            budget=budget,
        )
        self.ids[name] = await self.engine.workspaces.sync(record)
        return self.ids[name]

    async def given(self, workflow: WorkflowBuilder, workspace: str = "acme") -> VersionRecord:
        """Record the workflow's spec as the current version."""
        model = workflow.model()
        return await self.engine.workflows.record(self.ids[workspace], "acme", model.metadata.name, model.spec)

    def request(self, workflow: str = "nightly", workspace: str = "acme", **members: Any) -> RunRequest:
        """A request with a key of its own, unless one is given, a millisecond after the one before it."""
        self.keys += 1
        self.clock.advance(milliseconds=1)
        request = RunRequest(self.ids[workspace], "acme", workflow, TriggerKind.RESOURCE, f"key-{self.keys}")
        return replace(request, **members)

    async def admit(self, workflow: str = "nightly", workspace: str = "acme", **members: Any) -> UUID:
        """Admit a run that must be admitted."""
        answer, _ = await self.engine.admit(self.request(workflow, workspace, **members))
        assert isinstance(answer, Admitted), answer
        return answer.run_id

    async def refused(self, workflow: str = "nightly", **members: Any) -> Refused:
        """Ask for a run that must be refused."""
        answer, _ = await self.engine.admit(self.request(workflow, **members))
        assert isinstance(answer, Refused), answer
        return answer

    async def claim(self, limit: int = 100, holder: str = "operator-0") -> list[JobTask]:
        """Claim what is due."""
        return list((await self.engine.claim_jobs(ClaimTerms(holder, limit), self.clock.now)).tasks)

    def ref(self, run_id: UUID, node: str, attempt: int = 1, workspace: str = "acme") -> TaskRef:
        return TaskRef(self.ids[workspace], run_id, node, attempt)

    async def succeed(
        self, run_id: UUID, node: str = "work", output: Any = None, attempt: int = 1, workspace: str = "acme"
    ) -> Effects:
        """Let an attempt succeed."""
        return await self.engine.complete(self.ref(run_id, node, attempt, workspace), Outcome(True, output))

    async def fail(self, run_id: UUID, node: str = "work", attempt: int = 1, reason: str = "ExitCode") -> Effects:
        """Let an attempt fail."""
        outcome = Outcome(False, reason=reason, message="exit code 3", exit_code=3)
        return await self.engine.complete(self.ref(run_id, node, attempt), outcome)

    async def view(self, run_id: UUID, workspace: str = "acme") -> RunView:
        view = await self.engine.run_view(self.ids[workspace], run_id)
        assert view is not None
        return view

    async def phase(self, run_id: UUID, workspace: str = "acme") -> RunPhase:
        return (await self.view(run_id, workspace)).phase

    async def phases(self, run_id: UUID) -> dict[str, NodePhase]:
        """The phases of the nodes, triggers left out."""
        return {node.id: node.phase for node in (await self.view(run_id)).nodes}

    async def usage(self, workspace: str = "acme") -> dict[str, Any]:
        """The usage row."""
        [row] = await self.rows("SELECT * FROM headgate.workspace_usage WHERE workspace_id = %s", self.ids[workspace])
        return row

    async def pot(self, name: str) -> dict[str, Any]:
        """The row of a pot."""
        [row] = await self.rows("SELECT * FROM headgate.quota_pots WHERE name = %s", name)
        return row

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Look at the tables as nobody but a superuser can."""
        connection = await psycopg.AsyncConnection.connect(self.superuser_url, row_factory=dict_row)
        async with connection:
            return await (await connection.execute(query.encode(), parameters)).fetchall()


def one_node(name: str = "nightly", **members: Any) -> WorkflowBuilder:
    """A workflow of one container, ``work``; members are others of the node, such as ``retry={"limit": 2}``."""
    return a_workflow(name).with_node("work", **members)


def calling(workflow: str = "nightly", name: str = "caller", inputs: Any = None, **members: Any) -> WorkflowBuilder:
    """A workflow of one node, ``call``, that calls another one."""
    config = {"workflow": {"name": workflow, **({"inputs": inputs} if inputs is not None else {})}}
    return a_workflow(name).with_node("call", config, **members)


async def chain(world: World) -> Fired:
    """Act on the ends of runs and make the calls that are due, a millisecond later."""
    return await world.engine.chain_runs(world.clock.advance(milliseconds=1))
