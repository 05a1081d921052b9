"""``script`` nodes: a fresh process each, in a folder and a process group of its own."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from headgate.api.builtin import Script
from headgate.runner.errors import NodeFailed
from headgate.runner.left import Keep, keep_none
from headgate.runner.printed import Print
from headgate.runner.program import Ended, Limits, Program
from headgate.runner.secrets import Secrets

Run = Callable[[Program, Print, float, Limits, Keep], Awaitable[Ended]]
"""Executes a program; see ``program.run``."""

_SAID = 768
_SIGNALLED = 128
_LIMITS: Mapping[int, str] = MappingProxyType(
    {
        -signal.SIGXCPU: "it used more processor time than its node's timeout",
        -signal.SIGXFSZ: "it wrote a file that is too large",
    }
)


async def execute(
    node: Script,
    secrets: Secrets,
    about: Mapping[str, str],
    show: Print,
    *,
    grace: float,
    limits: Limits,
    run: Run,
    keep: Keep = keep_none,
) -> Any:
    """The JSON that the script wrote to ``$HEADGATE_OUTPUT``, or None. Raises ``NodeFailed``.

    ``about`` are variables that tell the script which attempt it is; ``keep`` keeps the files that it left.
    """
    program = Program(node.language, node.source, {**_variables(node, secrets), **about})
    ended = await run(program, show, grace, limits, keep)
    if ended.code != 0:
        raise _ended_badly(ended.code, secrets.redactor().text(ended.said))
    if ended.mistake is not None:
        raise NodeFailed("InvalidOutput", ended.mistake)
    return ended.output


def _variables(node: Script, secrets: Secrets) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable in node.env:
        source = variable.value_from
        ref = (source.secret_key_ref or source.credential_key_ref) if source else None
        found[variable.name] = secrets.value(ref) if ref else variable.value or ""
    return found


def _ended_badly(code: int, printed: str) -> NodeFailed:
    exit_code = code if code >= 0 else _SIGNALLED - code
    said = printed.strip()[-_SAID:]
    message = f"exited with code {exit_code}"
    if code in _LIMITS:
        message = f"{message}, as {_LIMITS[code]}"
    return NodeFailed("ExitCode", f"{message}: {said}" if said else message, exit_code)
