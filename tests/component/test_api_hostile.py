"""Whatever is sent, the API refuses it with a problem, and never fails itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st

from hack.generate import api_document
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.world import World, one_node
from tests.support.generate import many

SEED = 15
REQUESTS = 60
_WORDS = ("nightly", "acme", "ask", "owner", "viewer", "runs:read", "Failed", "2026-03-10T12:00:00Z", "019aaf00", "")
_TEXT = st.one_of(
    st.sampled_from(_WORDS), st.text(max_size=20), st.sampled_from(["\x00", "\ud800", "x" * 300, "../.."])
)
_NUMBERS = st.one_of(st.integers(), st.sampled_from([0, 1, -1, 2**31, 2**63, 2**200]), st.floats(allow_nan=False))
_LEAVES = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXT)
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3))


@dataclass(frozen=True)
class Operation:
    """An operation of the document, with the names that it takes."""

    name: str
    method: str
    path: str
    query: tuple[str, ...]
    body: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def operations() -> Iterator[Operation]:
    made = api_document()
    for path, methods in made["paths"].items():
        for method, said in methods.items():
            content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
            body = tuple(made["components"]["schemas"].get(name, {}).get("properties", ()))
            query = tuple(item["name"] for item in said.get("parameters", ()) if item["in"] == "query")
            yield Operation(said["operationId"], method.upper(), path, query, body)


@pytest.mark.parametrize("operation", tuple(operations()), ids=str)
async def test_whatever_is_sent_it_is_taken_or_refused(world: World, api: Api, operation: Operation) -> None:
    await world.given(one_node().with_input("x"))
    await world.given(a_workflow("asks").with_node("ask", {"approval": {}}))
    run, key = await world.admit("asks"), (await api.issue()).view.id
    api.streams.close()
    path = operation.path.format(
        workspace="acme",
        run_id=run,
        key_id=key,
        namespace="acme",
        name="nightly",
        step="ask",
        number=1,
        hook="orders",
        delivery_id=run,
    )
    queries = st.dictionaries(st.sampled_from([*operation.query, "x"]), _TEXT.filter(lambda text: text != "\ud800"))
    bodies = st.dictionaries(st.sampled_from([*operation.body, "x"]), _JSON) | _JSON

    for query, body in many(st.tuples(queries, bodies), REQUESTS, SEED):
        content = json.dumps(body) if operation.body else None
        headers = {"Content-Type": "application/json"} if operation.body else {}
        answer = await api.request(operation.method, path, params=query, content=content, headers=headers)

        assert answer.status_code < 500, (query, body, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_no_json_is_told_where(world: World, api: Api) -> None:
    await world.given(one_node())
    answer = await api.call("POST", "/runs", content="{", headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["detail"] == (
        "the body is not JSON: Expecting property name enclosed in double quotes at character 1"
    )


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain"])
async def test_json_that_is_sent_as_something_else_is_told_what_to_send(
    world: World, api: Api, media_type: str
) -> None:
    """As ``curl --data`` does without a header."""
    await world.given(one_node())
    answer = await api.call("POST", "/runs", content='{"workflow": "nightly"}', headers={"Content-Type": media_type})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("send the body as JSON, with Content-Type: application/json")


async def test_a_path_with_one_slash_more_leads_nowhere(api: Api) -> None:
    """A redirect would name the address that the request seems to have come to: behind a proxy one without TLS."""
    answer = await api.call("GET", "/runs/")

    assert (answer.status_code, answer.headers.get("location")) == (404, None)
