from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.domain.runner_protocol import PRINTED_BYTES, REQUEST_BYTES, Completion, Printed, Result
from headgate.domain.step_log import CutLog
from headgate.runner.printed_logs import PrintedLogs
from tests.unit.runner.tasks import a_task, script

ONE, OTHER = a_task(script("true"), "one"), a_task(script("true"), "other")


def test_what_is_printed_is_given_once_and_to_whom_printed_it() -> None:
    logs = PrintedLogs()
    logs.add(ONE, "hello\n")
    logs.add(OTHER, "their\n")
    logs.add(ONE, "wörld\n")

    printed = logs.take(ONE)
    assert printed is not None
    assert printed.log == CutLog("hello\nwörld\n".encode(), truncated=False)
    assert logs.take(ONE) is None


def test_what_printed_nothing_has_no_log() -> None:
    logs = PrintedLogs()
    logs.add(ONE, "")

    assert logs.take(ONE) is None


def test_of_much_the_middle_is_left_out_and_it_fits_into_a_request() -> None:
    logs = PrintedLogs()
    for _ in range(1000):
        logs.add(ONE, "\x00" * 999 + "\n")

    printed = logs.take(ONE)

    assert printed is not None
    assert printed.truncated
    assert len(printed.log.content) <= PRINTED_BYTES
    result = Result(succeeded=False, message="\x00" * 1024, output="\x00" * 4096, printed=printed)
    done = Completion(run_id=ONE.run_id, node=ONE.node, attempt=1, result=result)
    assert len(done.model_dump_json(by_alias=True)) <= REQUEST_BYTES


@pytest.mark.parametrize("content", ["", "a", "abc", "ab==cd==", "ab*=", "YWJj\n", "YWJj" * PRINTED_BYTES])
def test_what_is_no_log_is_refused(content: str) -> None:
    with pytest.raises(ValidationError):
        Printed(content=content)
