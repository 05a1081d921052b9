"""Logs that are kept where the gateway cannot look."""

from __future__ import annotations

import pytest

from headgate.api.workflow_run import NodePhase
from headgate.engine.types import StepLog
from headgate.gateway.log_feed import LogReader
from headgate.gateway.problems import Problem
from tests.workload_builders import a_task

KEPT = StepLog(a_task().ref, NodePhase.SUCCEEDED, "logs/work", 4, truncated=False)


async def test_who_was_sent_all_of_it_is_told_nothing_more() -> None:
    assert [piece async for piece in LogReader(None).pieces(KEPT, 4)] == []


async def test_who_lacks_some_of_it_is_told_where_it_lies() -> None:
    with pytest.raises(Problem, match="use headgate node-logs"):
        [piece async for piece in LogReader(None).pieces(KEPT, 3)]
