"""Refusals in the form of RFC 9457."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import Match

from headgate.domain.envelope import CannotOpen, UnknownKey
from headgate.engine.archive.files import ArchiveDamaged
from headgate.engine.archive.reading import NoArchive
from headgate.engine.credentials.types import CredentialMissing, CredentialRefused, KeysMissing
from headgate.engine.sync.cursors import CursorBusy, CursorRefused
from headgate.engine.types import LeaseLost
from headgate.objects.object_store import StoreUnavailable
from headgate.store.errors import DatabaseNotMigrated, DatabaseUnavailable, RunFrozen

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "2"
_MISTAKES = 5


REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        400: "The body is not JSON in UTF-8.",
        401: "There is no credential that is good.",
        403: "The caller's role or scopes are too small.",
        404: "There is no such thing, or no such workspace for the caller.",
        409: "What is asked for does not go with how things are.",
        413: "The request is too large.",
        422: "The request is not in the form that is described here.",
        429: "The plan has no room, or there were too many calls: `Retry-After` says when to try again.",
        503: "Something that has to be asked is away: `Retry-After` says when to try again.",
    }
)
"""What any request to the API may be answered with, by status."""


class ProblemDetails(BaseModel):
    """Why a request was refused, and what to change (RFC 9457)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """Always ``about:blank``: the status says what kind of problem it is."""
    title: str
    """The status in words."""
    status: int
    """The status."""
    detail: str
    """What is wrong, and what to change."""
    reason: str | None = None
    """Why, in one stable word for programs, where the status does not tell."""


class Problem(Exception):  # noqa: N818 - what is answered, not a mistake of ours
    """Answers with a status, and a sentence for whoever asked."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None, *, reason: str = ""
    ) -> None:
        """``reason`` is one stable word for programs, where the status does not tell enough."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.reason = reason

    def response(self) -> JSONResponse:
        """The answer."""
        return problem(self.status, self.detail, self.headers, reason=self.reason)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, *, reason: str = "") -> JSONResponse:
    """The answer. Its ``type`` is the status itself."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if reason:
        body["reason"] = reason
    return JSONResponse(body, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


_TOLD: Mapping[type[Exception], HTTPStatus] = MappingProxyType(
    {
        LeaseLost: HTTPStatus.CONFLICT,
        CursorBusy: HTTPStatus.LOCKED,
        CursorRefused: HTTPStatus.FORBIDDEN,
        CredentialRefused: HTTPStatus.FORBIDDEN,
        CredentialMissing: HTTPStatus.NOT_FOUND,
        # Not an error of the server, which would be asked again: what was changed stays changed.
        CannotOpen: HTTPStatus.GONE,
        RunFrozen: HTTPStatus.CONFLICT,
        NoArchive: HTTPStatus.CONFLICT,
    }
)
"""Exceptions that say all that the caller has to know."""
Answering = Callable[[Request, Any], JSONResponse]
"""Gives the answer to a request that ended in an exception."""


def _away(_: Request, _error: Exception) -> JSONResponse:
    detail = "Postgres cannot be used right now: try again"
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS})


def _keyless(_: Request, _error: Exception) -> JSONResponse:
    detail = "the gateway lacks the key-encryption key of this credential: ask whoever runs Headgate"
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS})


def _unread(_: Request, _error: Exception) -> JSONResponse:
    detail = "the archive, in which that is, cannot be read right now: try again"
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS})


def _telling(status: HTTPStatus) -> Answering:
    return lambda _, error: problem(status, str(error))


def _own(_: Request, error: Problem) -> JSONResponse:
    return error.response()


def _http(request: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return problem(error.status_code, str(error.detail), headers)


def _mistaken(request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong with a request, without its values, which are the caller's."""
    found = error.errors()
    if (broken := next((item for item in found if item["type"] == "json_invalid"), None)) is not None:
        where = f"{broken['ctx']['error']} at character {broken['loc'][-1]}"
        return problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {where}")
    mistakes = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in found]
    if any(item["loc"] == ("body",) for item in found) and not _is_json(request):
        # As it is taken for anything but JSON it is a text, which no model takes.
        mistakes.insert(0, "send the body as JSON, with Content-Type: application/json")
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(mistakes[:_MISTAKES]))


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _allowed(request: Request) -> str:
    """The methods of all routes with this path: the framework tells only those of the first."""
    routes = iter_route_contexts(request.app.routes)
    methods = {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return ", ".join(sorted(methods))


_ANSWERS: Mapping[type[Exception], Answering] = MappingProxyType(
    {
        Problem: _own,
        HTTPException: _http,
        RequestValidationError: _mistaken,
        **{kind: _telling(status) for kind, status in _TOLD.items()},
        KeysMissing: _keyless,
        UnknownKey: _keyless,
        DatabaseUnavailable: _away,
        DatabaseNotMigrated: _away,
        StoreUnavailable: _unread,
        ArchiveDamaged: _unread,
    }
)
"""What is answered where a request ends in one of these, or in what is one of these."""


def answer_to(request: Request, error: Exception) -> JSONResponse | None:
    """What is answered to a request that ended so. None for what nobody expected: see ``failed``."""
    for kind in type(error).__mro__:
        if (answer := _ANSWERS.get(kind)) is not None:
            return answer(request, error)
    return None


def failed() -> JSONResponse:
    """What is answered where the mistake is ours, which the log tells and the answer does not."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway failed; its log says why")


def answer_with_problems(app: FastAPI) -> None:
    """Have every refusal of the framework's application take this form."""
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, _handling(answer))
    app.add_exception_handler(Exception, _handling(lambda _request, _error: failed()))


def _handling(answer: Answering) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def handle(request: Request, error: Exception) -> JSONResponse:
        return answer(request, error)

    return handle
