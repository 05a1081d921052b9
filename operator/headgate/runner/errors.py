"""How an attempt fails."""

from __future__ import annotations


class NodeFailed(Exception):  # noqa: N818 - the end of an attempt, not a mistake of ours
    """The attempt ends as a failure: ``reason`` is one word, ``message`` is for the workflow's author."""

    def __init__(self, reason: str, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.exit_code = exit_code
