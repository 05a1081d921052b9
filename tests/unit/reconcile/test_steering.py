from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from headgate.api.debugging import Breakpoint
from headgate.api.workflow_run import NodePhase, RunPhase
from headgate.domain.apart import GoingOn
from headgate.domain.audit import Actor
from headgate.engine.run_control import RunControl
from headgate.engine.types import Effects, NodeView, RunView
from headgate.reconcile.steering import by_resource, steer
from tests.builders import a_run

WORKSPACE, RUN = UUID(int=1), UUID(int=2)
BY = by_resource("acme", "nightly-1")
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class FakeControl(RunControl):
    """Notes what is asked of it."""

    def __init__(self, told: list[tuple[Any, ...]]) -> None:
        self.told = told

    async def stop(self, workspace_id: UUID, run_id: UUID, reason: str, by: Actor | None = None) -> Effects:
        return self._note(by, "stop")

    async def suspend(self, workspace_id: UUID, run_id: UUID, why: str, by: Actor | None = None) -> Effects:
        return self._note(by, "suspend")

    async def resume(self, workspace_id: UUID, run_id: UUID, by: Actor | None = None) -> Effects:
        return self._note(by, "resume")

    async def pass_breakpoint(
        self, workspace_id: UUID, run_id: UUID, asked: GoingOn, by: Actor | None = None
    ) -> Effects:
        return self._note(by, "pass", asked.resume, asked.step)

    async def retry(self, workspace_id: UUID, run_id: UUID, number: int, by: Actor | None = None) -> Effects:
        return self._note(by, "retry", number)

    async def prioritize(self, workspace_id: UUID, run_id: UUID, priority: int, by: Actor | None = None) -> Effects:
        return self._note(by, "prioritize", priority)

    async def decide(self, workspace_id: UUID, run_id: UUID, decisions: Any, by: Actor | None = None) -> Effects:
        return self._note(by, "decide", *(decision.by for decision in decisions))

    def _note(self, by: Actor | None, *what: Any) -> Effects:
        assert by == BY
        self.told.append(what)
        return Effects(frozenset([RUN]))


def a_view(phase: RunPhase = RunPhase.RUNNING, **members: Any) -> RunView:
    nodes = (NodeView("ask", members.pop("node", NodePhase.QUEUED), 1, None, None, "", ""),)
    view = RunView(WORKSPACE, RUN, "acme", "nightly", 1, None, phase, NOON, None, nodes, waiting=())
    return replace(view, **members)


async def asked(view: RunView, **spec: Any) -> list[tuple[Any, ...]]:
    """What the engine is asked for."""
    told: list[tuple[Any, ...]] = []
    effects = await steer(FakeControl(told), WORKSPACE, a_run().with_spec(**spec).model().spec, view, BY)
    assert (effects is None) == (told == [])
    return told


HELD = a_view(RunPhase.SUSPENDED, held="RunSuspended: why")

STANDING = a_view(
    RunPhase.SUSPENDED,
    held="Breakpoint: it stands before ask",
    breakpoint=Breakpoint(node="ask"),
    resumed=1,
    stepped=2,
)


@pytest.mark.parametrize(
    ("view", "spec", "expected"),
    [
        (a_view(), {}, []),
        (a_view(), {"cancel": True}, [("stop",)]),
        (a_view(cancelling=True), {"cancel": True}, []),
        (a_view(cancelling=True), {"cancel": True, "suspend": True}, []),
        (a_view(), {"suspend": True}, [("suspend",)]),
        (a_view(RunPhase.PENDING), {"suspend": True}, [("suspend",)]),
        (a_view(), {"priority": 5}, [("prioritize", 5)]),
        (a_view(priority=5), {"priority": 5}, []),
        (a_view(RunPhase.SUCCEEDED), {"priority": 5}, []),
        (HELD, {"suspend": True}, []),
        (HELD, {}, [("resume",)]),
        (a_view(RunPhase.SUSPENDED, held="Breakpoint: before ask"), {}, []),
        (HELD, {"suspend": True, "cancel": True}, [("stop",)]),
        (STANDING, {}, []),
        (STANDING, {"resume": 1, "step": 2}, []),
        (STANDING, {"resume": 2, "step": 2}, [("pass", 2, 2)]),
        (STANDING, {"resume": 2, "step": 2, "suspend": True}, [("pass", 2, 2)]),
        (STANDING, {"resume": 1, "step": 3}, [("pass", 1, 3)]),
        (a_view(), {"step": 3}, []),
        (a_view(RunPhase.FAILED), {"step": 3}, []),
        (a_view(), {"resume": 2}, []),
        (a_view(RunPhase.FAILED), {"retry": 1}, [("retry", 1)]),
        (a_view(RunPhase.FAILED, retries=1), {"retry": 1}, []),
        (a_view(RunPhase.CANCELLED), {"retry": 1}, [("retry", 1)]),
        (a_view(RunPhase.CANCELLED), {"retry": 1, "cancel": True}, []),
        (a_view(RunPhase.SUCCEEDED), {"retry": 1}, []),
        (a_view(), {"retry": 1}, []),
        (a_view(RunPhase.SUCCEEDED), {"cancelNow": True, "suspend": True}, []),
    ],
)
async def test_what_is_asked_for_and_not_done_is_done(
    view: RunView, spec: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    assert await asked(view, **spec) == expected


async def test_decisions_are_taken_on_attempts_that_have_not_ended() -> None:
    decisions = [
        {"node": "ask", "approved": True, "by": "alice"},
        {"node": "ask", "attempt": 2, "approved": True, "by": "bob"},
        {"node": "other", "approved": True, "by": "carol"},
    ]
    assert await asked(a_view(), approvals=decisions) == [("decide", "alice")]
    assert await asked(a_view(node=NodePhase.SUCCEEDED), approvals=decisions) == []


async def test_what_is_held_is_decided_too() -> None:
    decisions = [{"node": "ask", "approved": True, "by": "alice"}]
    assert await asked(a_view(), suspend=True, approvals=decisions) == [("decide", "alice"), ("suspend",)]
