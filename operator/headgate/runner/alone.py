"""Executes one script by itself: ``python -m headgate.runner.alone``.

The script is one of a Test or Debug run, and lies in the environment. What it prints goes to standard output as it is,
and how it ended into the pod's termination message: there is nobody else to tell.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.api.builtin import Script
from headgate.domain.alone import TIMEOUT_VARIABLE, carried_in, told
from headgate.domain.runner_task import GRACE_SECONDS
from headgate.engine.bounds import OUTPUT_BYTES, check_json
from headgate.runner import program, script
from headgate.runner.confinement import close_to_others
from headgate.runner.errors import NodeFailed
from headgate.runner.failure import failure_of
from headgate.runner.printed import Print
from headgate.runner.program import Limits
from headgate.runner.secrets import Secrets

EXIT_TERMINATED = 143
_TERMINATION_MESSAGE = "HEADGATE_OUTPUT"
_ABOUT = ("HEADGATE_WORKSPACE", "HEADGATE_WORKFLOW", "HEADGATE_RUN", "HEADGATE_NODE", "HEADGATE_ATTEMPT")


@dataclass(frozen=True)
class End:
    """How the container ends."""

    code: int
    said: str
    """Its termination message."""


async def execute(environment: Mapping[str, str], show: Print, *, grace: float = GRACE_SECONDS) -> End:
    """Execute the script that the environment carries. Raises nothing but that it was cancelled.

    A script that is cancelled is asked to end, and has ``grace`` seconds for it.
    """
    secrets = Secrets(environment)
    redactor = secrets.redactor()

    def pass_on(stream: str, text: str) -> None:
        show(stream, redactor.text(text))

    try:
        about = {name: environment[name] for name in _ABOUT}
        limits = Limits(cpu_seconds=float(environment[TIMEOUT_VARIABLE]))
        node = _script(environment)
        given = await script.execute(node, secrets, about, pass_on, grace=grace, limits=limits, run=program.run)
        output = redactor.json(given)
        check_json(output, OUTPUT_BYTES, "the output")
    except Exception as error:
        failure = failure_of(error, redactor)
        return End(failure.exit_code or 1, told(failure.reason, failure.message, failure.exit_code))
    return End(0, "" if output is None else json.dumps(output, ensure_ascii=False, separators=(",", ":")))


async def work(environment: Mapping[str, str], show: Print, *, grace: float = GRACE_SECONDS) -> int:
    """Execute the script, say how it ended, and return the exit code."""
    executing = asyncio.create_task(execute(environment, show, grace=grace))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, executing.cancel)
    try:
        end = await executing
    except asyncio.CancelledError:
        return EXIT_TERMINATED
    await asyncio.to_thread(Path(environment[_TERMINATION_MESSAGE]).write_text, end.said, encoding="utf-8")
    return end.code


def _script(environment: Mapping[str, str]) -> Script:
    try:
        return carried_in(environment)
    except ValueError:
        # What is wrong with it would quote it.
        raise NodeFailed("InvalidTask", "this image cannot read the script: is it the operator's own?") from None


def _show(_stream: str, text: str) -> None:
    # A pod's log is one text, whichever stream it came from.
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def main() -> int:
    """Read the environment, and work."""
    close_to_others()
    return asyncio.run(work(os.environ, _show))


if __name__ == "__main__":
    sys.exit(main())
