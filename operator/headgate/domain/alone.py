"""A script that is executed by itself, in a pod of its own: what that pod is given, and how it tells its end. Pure.

Its container is Headgate's own and has neither a token nor a gateway, so all goes by what Kubernetes carries: the
environment one way, and the termination message the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from headgate.api.builtin import Script
from headgate.domain.task import OUTPUT_BYTES, Outcome

SCRIPT_LABEL = "headgate.dev/script"
"""On such a Job, and on its pod: a failure in its termination message is one that ``told`` made."""
ALONE = "alone"
TIMEOUT_VARIABLE = "HEADGATE_ALONE_TIMEOUT_SECONDS"
"""Where the pod finds how long the attempt may take."""

_PIECE = "HEADGATE_ALONE_SCRIPT_"
_PIECE_CHARACTERS = 24_576
"""Linux takes no variable that is longer than 128 KiB, and a character has four bytes at most."""


def carried(script: Script) -> dict[str, str]:
    """The variables that carry a script, with what it is given. Of Secrets they hold the names only."""
    text = json.dumps(script.to_wire(), ensure_ascii=False, separators=(",", ":"))
    starts = range(0, len(text), _PIECE_CHARACTERS)
    return {f"{_PIECE}{i}": text[start : start + _PIECE_CHARACTERS] for i, start in enumerate(starts)}


def carried_in(environment: Mapping[str, str]) -> Script:
    """The script that variables carry. Raises ``ValueError`` where they carry none."""
    pieces: list[str] = []
    while (piece := environment.get(f"{_PIECE}{len(pieces)}")) is not None:
        pieces.append(piece)
    return Script.model_validate(json.loads("".join(pieces)))


def told(reason: str, message: str, exit_code: int | None = None) -> str:
    """A failure as its container says it, in no more than the kubelet keeps."""
    failure = {"reason": reason, "message": message, "exitCode": exit_code}
    text = json.dumps(failure, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) <= OUTPUT_BYTES:
        return text
    return told(reason, f"{message[: len(message) // 2]}…", exit_code)


def failure_in(text: str) -> Outcome | None:
    """The failure that ``told`` says; None where the text is not of that form, as the container was ended before."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match said:
        case {"reason": str(reason), "message": str(message), "exitCode": int() | None as code} if reason:
            return Outcome(succeeded=False, reason=reason, message=message, exit_code=code)
    return None
