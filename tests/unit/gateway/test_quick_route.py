"""A route answers the quicker way, or as the framework does."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel

from headgate.gateway.quick_route import QuickRoute, json_response, quick_route, read_body
from tests.unit.gateway.asgi import Exchange


class Wanted(BaseModel):
    """Asks for something."""

    name: str


def application(ways: list[str]) -> FastAPI:
    router = APIRouter()

    async def thorough(body: Wanted, response: Response) -> Wanted:
        ways.append("thorough")
        response.headers["X-Made"] = "yes"
        return body

    async def quick(request: Request) -> Response | None:
        if (body := await read_body(request, Wanted)) is None:
            return None
        ways.append("quick")
        return json_response(body, Response(status_code=201, headers={"X-Made": "yes", "Content-Length": "1"}))

    router.add_api_route("/x", thorough, methods=["POST"], status_code=201, route_class_override=quick_route(quick))
    app = FastAPI()
    app.router.routes += router.routes
    return app


@pytest.mark.parametrize(
    ("body", "media_type", "way", "status"),
    [
        (b'{"name": "a"}', "application/json", ["quick"], 201),
        (b'{"name": "a"}', "application/vnd.x+json", ["thorough"], 201),
        (b'{"name": 1}', "application/json", [], 422),
        (b"{", "application/json", [], 422),
    ],
)
async def test_what_is_well_formed_goes_the_quick_way(
    body: bytes, media_type: str, way: list[str], status: int
) -> None:
    ways: list[str] = []
    exchange = await Exchange("POST", "/x", [body], {"Content-Type": media_type}).through(application(ways))

    assert (ways, exchange.status) == (way, status)
    if way:
        assert exchange.body == b'{"name":"a"}'
        names = [name for name, _ in exchange.sent[0]["headers"]]
        assert names == [b"content-length", b"content-type", b"x-made"]


def test_the_framework_describes_it() -> None:
    app = application([])

    assert [type(route).__mro__[1] for route in app.routes][-1] is QuickRoute
    assert "201" in app.openapi()["paths"]["/x"]["post"]["responses"]
