from __future__ import annotations

import pytest

from headgate.domain.workflow_problems import input_problem, schedule_problem, trigger_problem
from tests.builders import a_workflow

GOOD = (
    a_workflow("report")
    .with_schedule("at-two", "0 2 * * *")
    .with_trigger("end", {"event": {"workflow": "nightly"}})
    .with_input("day", schema={"type": "string"}, default="monday")
)


def test_a_good_workflow_has_no_problem() -> None:
    spec = GOOD.model().spec

    assert (schedule_problem(spec), trigger_problem("report", spec), input_problem(spec)) == (None, None, None)


@pytest.mark.parametrize(
    ("path", "value", "reason", "message"),
    [
        ("spec.nodes.1.config.schedule.cron", "0 0 31 2 *", "InvalidSchedule", "node at-two: cron '0 0 31 2 *' is not"),
        ("spec.nodes.2.config.event.workflow", "report", "InvalidTrigger", "node end: the event names this workflow"),
        ("spec.inputs.0.schema", {"$ref": "#"}, "InvalidInputSchema", "input day: the schema has $ref"),
        ("spec.inputs.0.default", 3, "InvalidInputSchema", "input day: the default does not fit the schema"),
    ],
)
def test_a_problem_has_a_reason_of_its_own(path: str, value: object, reason: str, message: str) -> None:
    spec = GOOD.with_value(path, value).model().spec

    found = schedule_problem(spec) or trigger_problem("report", spec) or input_problem(spec)

    assert found is not None
    assert (found[0], found[1][: len(message)]) == (reason, message)
