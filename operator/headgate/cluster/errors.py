"""What the API server refuses, and what does not reach it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


class ApiError(Exception):
    """The API server answered with an error. The message is the server's own."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @classmethod
    def of(cls, status: int, body: Mapping[str, Any], retry_after: float | None) -> ApiError:
        """From a response and its metav1.Status body."""
        return cls(status, str(body.get("reason", "")), str(body.get("message", ""))[:2048], retry_after)

    @property
    def is_not_found(self) -> bool:
        """Whether the object, or the kind, does not exist."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_already_exists(self) -> bool:
        """Whether an object of that name exists."""
        return self.status == HTTPStatus.CONFLICT and self.reason == "AlreadyExists"

    @property
    def is_conflict(self) -> bool:
        """Whether someone else changed, replaced or deleted the object meanwhile."""
        return self.status == HTTPStatus.CONFLICT and self.reason != "AlreadyExists"

    @property
    def is_gone(self) -> bool:
        """Whether the server no longer has what happened since the version that was asked for."""
        return self.status == HTTPStatus.GONE

    @property
    def is_forbidden(self) -> bool:
        """Whether permissions, a quota or an admission policy stand against it."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def is_invalid(self) -> bool:
        """Whether the same request will be refused again, because of what is in it."""
        return self.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)


class Unreachable(Exception):  # noqa: N818 - reads as what it says
    """No answer came: the API server is away, or the connection broke. The request may have been carried out."""
