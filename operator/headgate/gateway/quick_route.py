"""Routes that are called much: what is well formed is read without taking the endpoint's signature apart each time."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

B = TypeVar("B", bound=BaseModel)
_JSON = "application/json"


class QuickRoute(APIRoute):
    """A route that has a quick way. Routes are looked through in their order: these are to be the first."""


def quick_route(answer: Callable[[Request], Awaitable[Response | None]]) -> type[APIRoute]:
    """A kind of route: its requests are answered by ``answer``, and those for which that gives None as any other.

    So the framework describes the route, and says what is wrong with a request. ``answer`` must have done nothing yet
    when it gives None.
    """

    class Quick(QuickRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            thorough = super().get_route_handler()

            async def handle(request: Request) -> Response:
                answered = await answer(request)
                return await thorough(request) if answered is None else answered

            return handle

    return Quick


async def read_body(request: Request, kind: type[B]) -> B | None:
    """The body, where it is one of that kind and said to be JSON. Else there may be more to say about it."""
    if request.headers.get("content-type") != _JSON:
        return None
    try:
        return kind.model_validate(json.loads(await request.body()))
    except (ValidationError, ValueError, RecursionError):
        return None


def json_response(model: BaseModel, response: Response) -> Response:
    """A model as the answer, with the status of ``response`` and what it says besides of its own."""
    answer = Response(model.model_dump_json(by_alias=True), response.status_code, media_type=_JSON)
    answer.raw_headers += [pair for pair in response.raw_headers if pair[0] != b"content-length"]
    return answer
