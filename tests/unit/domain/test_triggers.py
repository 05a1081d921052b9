from __future__ import annotations

from headgate.domain.triggers import problem
from tests.builders import WorkflowBuilder, a_workflow


def after(source: str) -> WorkflowBuilder:
    return a_workflow("report").with_trigger("end", {"event": {"workflow": source}})


def test_a_workflow_may_start_at_the_end_of_another_one() -> None:
    assert problem("report", after("nightly").model().spec) is None
    assert problem("report", a_workflow("report").model().spec) is None


def test_a_workflow_may_not_start_at_its_own_end() -> None:
    assert str(problem("report", after("report").model().spec)).startswith(
        "node end: the event names this workflow itself"
    )
