"""The client that is made of an OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from hack.client import UnknownFormError, client

NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}


def document(operation: dict[str, Any], schemas: dict[str, Any] | None = None) -> dict[str, Any]:
    described = {"operationId": "getThing", "description": "A thing.", "parameters": [NAME], **operation}
    return {"paths": {"/things/{name}": {"get": described}}, "components": {"schemas": schemas or {}}}


def answering(schema: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {"responses": {"200": {"content": {media: {"schema": schema}}}, "404": {"$ref": "x"}}}


def test_an_operation_is_a_method_with_its_parameters() -> None:
    more = {"name": "Last-Event-ID", "in": "header", "schema": {"anyOf": [{"type": "string"}, {"type": "null"}]}}

    text = client(document({"parameters": [more, NAME], **answering({"type": "integer"})}), "Mark.")

    compile(text, "client", "exec")
    assert "async def get_thing(\n        self,\n        name: str,\n        *,\n" in text
    assert "        last_event_id: str | None = None,\n    ) -> int:" in text
    assert '"Last-Event-ID": last_event_id' in text


def test_a_schema_is_a_type_whose_absent_members_are_told_apart() -> None:
    thing = {
        "properties": {"a": {"type": "array", "items": {"$ref": "#/x/Kind"}}, "b": {"type": "null"}},
        "required": ["a"],
    }
    text = client(document(answering({"$ref": "#/x/Thing"}), {"Thing": thing, "Kind": {"enum": ["x"]}}), "Mark.")

    assert "a: list[Kind]" in text
    assert "b: NotRequired[None]" in text
    assert 'Kind = Literal[\n    "x",\n]' in text


def test_an_answer_that_is_no_json_lasts() -> None:
    text = client(document({**answering({"type": "string"}, "text/plain")}), "Mark.")

    assert "\n    def get_thing(" in text
    assert ") -> AbstractAsyncContextManager[Answer]:" in text


def test_what_it_has_no_form_for_is_an_error_and_not_left_out() -> None:
    with pytest.raises(UnknownFormError, match="Odd"):
        client(document(answering({"type": "string"}), {"Odd": {"type": "string"}}), "Mark.")
    with pytest.raises(UnknownFormError, match="tuple"):
        client(document(answering({"type": "tuple"})), "Mark.")
