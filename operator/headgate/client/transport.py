"""Requests as they are sent: with the token, again where that is safe, and with refusals as errors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from headgate.client.errors import OutcomeUnknown, Refused, Unreachable

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
STREAM_TIMEOUT = httpx.Timeout(45.0, connect=10.0)
"""The gateway says something each 15 seconds; after three of them it is not there any more."""
SILENT_TIMEOUT = httpx.Timeout(10.0, read=None)
"""A log says nothing while its step does: that a server is gone without a word, nobody can tell then."""
IDEMPOTENCY_KEY = "idempotency-key"
_TRIES = 6
_FIRST_PAUSE = 0.25
_PASSING = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def path_of(template: str, **members: object) -> str:
    """The path with its members, none of which can leave its segment."""
    return re.sub(r"{(\w+)}", lambda found: _segment(str(members[found[1]])), template)


def _segment(text: str) -> str:
    # Two that are no characters but directions: a client, or what stands before the server, would follow them.
    return {".": "%2E", "..": "%2E%2E"}.get(text, quote(text, safe=""))


@dataclass(frozen=True)
class Answer:
    """An answer that lasts."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class Transport:
    """Sends requests to one server.

    A request that changes something is sent again only where it cannot have arrived, or was refused, or bears an
    ``Idempotency-Key``. What is refused for being too much waits for as long as the server says, ``patience`` seconds
    in all.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: str,
        *,
        patience: float = 60.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``tell`` is told of each pause that the server asked for."""
        self._http = http
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._patience = patience
        self._sleep = sleep
        self._tell = tell

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: Any = None,
    ) -> Any:
        """What the server answers; None where it answers without words. Raises ``CallFailed``."""
        given = _present(headers)
        repeatable = method == "GET" or IDEMPOTENCY_KEY in given
        waited = 0.0
        for tried in range(_TRIES):
            pause = _FIRST_PAUSE * 2**tried
            failed: Exception
            try:
                return await self._once(method, path, _present(query), given, body)
            except Refused as error:
                if error.status == HTTPStatus.TOO_MANY_REQUESTS or (repeatable and error.status in _PASSING):
                    pause = max(pause, error.retry_after or 0)
                    failed = error
                else:
                    raise
            except Unreachable as error:
                failed = error
            except OutcomeUnknown as error:
                if not repeatable:
                    raise
                failed = error
            waited += pause
            if waited > self._patience or tried == _TRIES - 1:
                raise failed
            if isinstance(failed, Refused):
                self._tell(f"{failed}; trying again in {pause:.0f} s")
            await self._sleep(pause)
        raise AssertionError("the last try returns or raises")

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        silent: bool = False,
    ) -> AsyncIterator[Answer]:
        """An answer as it comes. It is asked for once: its reader knows from where to go on. Raises ``CallFailed``.

        One that may be ``silent`` is waited for however long nothing comes.
        """
        try:
            async with self._http.stream(
                method,
                path,
                params=_present(query),
                headers={**self._authorization, **_present(headers)},
                timeout=SILENT_TIMEOUT if silent else STREAM_TIMEOUT,
            ) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise _refusal(answer)
                yield Answer(answer.status_code, answer.headers, answer.aiter_bytes())
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._lost(error) from None

    async def _once(
        self, method: str, path: str, query: Mapping[str, Any], headers: Mapping[str, str], body: Any
    ) -> Any:
        try:
            answer = await self._http.request(
                method,
                path,
                params=query,
                headers={**self._authorization, **headers},
                json=body,
                timeout=TIMEOUT,
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._lost(error) from None
        if not answer.is_success:
            raise _refusal(answer)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise Refused(answer.status_code, f"{self._http.base_url} does not answer as Headgate's API does") from None

    def _lost(self, error: Exception) -> Unreachable | OutcomeUnknown:
        server = str(self._http.base_url).rstrip("/")
        if isinstance(error, (*_NEVER_SENT, httpx.UnsupportedProtocol, httpx.InvalidURL)):
            return Unreachable(f"{server} cannot be reached: {str(error) or type(error).__name__}")
        return OutcomeUnknown(f"the connection to {server} was lost ({type(error).__name__})")


def _present(members: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (members or {}).items() if value is not None}


def _refusal(answer: httpx.Response) -> Refused:
    """The problem document's words, or what can be said of an answer that is none."""
    retry_after = answer.headers.get("retry-after", "")
    seconds = float(retry_after) if retry_after.isdigit() else None
    try:
        told = answer.json()
        return Refused(answer.status_code, str(told["detail"]), str(told.get("reason") or ""), seconds)
    except (ValueError, KeyError, TypeError, AttributeError):
        words = f"the server answered {answer.status_code} {answer.reason_phrase}".rstrip()
        return Refused(answer.status_code, f"{words}, and not as Headgate's API does: is --server right?", "", seconds)
