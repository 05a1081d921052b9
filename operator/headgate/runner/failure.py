"""How an attempt ended that raised an error, told in a form that holds no secret and fits into a row."""

from __future__ import annotations

from headgate.domain.runner_protocol import Result
from headgate.engine.bounds import clip
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Redactor

MESSAGE_BYTES = 1000
RUNNER_ERROR = "RunnerError"


def failure_of(error: Exception, redactor: Redactor) -> Result:
    """The attempt's end. Of an error that nobody foresaw its kind alone is told: the rest may quote a secret."""
    match error:
        case TimeoutError():
            return Result(succeeded=False, reason="Timeout", message="the attempt took longer than its timeout")
        case NodeFailed():
            message = clip(redactor.text(error.message), MESSAGE_BYTES)
            return Result(succeeded=False, reason=error.reason, message=message, exit_code=error.exit_code)
        case ValueError():
            return Result(succeeded=False, reason="InvalidOutput", message=clip(str(error), MESSAGE_BYTES))
        case _:
            message = f"the runner failed: {type(error).__name__}"
            return Result(succeeded=False, reason=RUNNER_ERROR, message=message)
