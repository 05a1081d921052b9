"""Exit codes, and what is said beside them."""

from __future__ import annotations

import sys
from enum import IntEnum
from http import HTTPStatus

from headgate.cli.text import printable
from headgate.client.errors import CallFailed, OutcomeUnknown, Refused


class Code(IntEnum):
    """What the end of a command says to whatever called it."""

    SUCCESS = 0
    FAILED = 1
    """The run did not succeed, or the server refuses what is asked for."""
    UNKNOWN = 2
    """The command is wrong, there is no such thing, or nobody can tell what became of it."""
    TIMEOUT = 3
    INTERRUPTED = 130


_WRONG = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


def code_of(error: CallFailed) -> Code:
    """The exit code for a call that came to nothing."""
    if isinstance(error, Refused) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR and error.status not in _WRONG:
        return Code.FAILED
    return Code.UNKNOWN


def words_of(error: CallFailed) -> str:
    """What to say of it, and what to do."""
    text = str(error)
    if isinstance(error, Refused):
        text += f" ({error.reason})" if error.reason else ""
        if error.status == HTTPStatus.UNAUTHORIZED:
            text += "; `headgate login` takes another token"
        if error.status == HTTPStatus.TOO_MANY_REQUESTS and error.retry_after:
            text += f"; try again in {error.retry_after:.0f} s"
    if isinstance(error, OutcomeUnknown):
        text += "; it may have been done nevertheless: look before you repeat it"
    return text


def tell(message: str) -> None:
    """Say something beside the answer."""
    print(f"headgate: {printable(message)}", file=sys.stderr)
