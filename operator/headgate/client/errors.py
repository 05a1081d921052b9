"""What calling the API can come to, instead of an answer."""

from __future__ import annotations


class CallFailed(Exception):  # noqa: N818 - reads as what it says
    """There is no answer to work with; the message is for whoever called."""


class Refused(CallFailed):
    """The server said no, in the words of its problem document."""

    def __init__(self, status: int, detail: str, reason: str = "", retry_after: float | None = None) -> None:
        """``retry_after`` is in seconds; None where the server named no time."""
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Unreachable(CallFailed):
    """The server could not be asked, so that nothing was done."""


class OutcomeUnknown(CallFailed):
    """The connection was lost before the answer came: what was asked for may have been done."""
