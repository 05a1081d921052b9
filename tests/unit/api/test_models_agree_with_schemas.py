from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.api.base import CustomResource
from headgate.api.crd import KINDS, object_schema
from tests.builders import Builder, a_quota, a_run, a_workflow, a_workspace, container
from tests.unit.api.documents import documents, errors

PARTS = [pytest.param(kind, part, id=f"{kind.resource.kind} {part}") for kind in KINDS for part in ("spec", "status")]


@functools.cache
def schema_and_documents(kind: type[CustomResource], part: str) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    """The schema of a part and a strategy for it, made once because making it takes longer than drawing from it."""
    schema = object_schema(kind)["properties"][part]
    return schema, documents(schema)


@pytest.mark.parametrize(("kind", "part"), PARTS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_the_api_server_admits_python_reads_and_writes_back(
    kind: type[CustomResource], part: str, data: st.DataObject
) -> None:
    schema, strategy = schema_and_documents(kind, part)
    document = data.draw(strategy)
    assert list(errors(schema, document)) == []

    model: Any = kind.model_fields[part].annotation
    read = model.model_validate(document)
    written = read.to_wire()

    assert list(errors(schema, written)) == []
    assert model.model_validate(written) == read


SHAPES: list[Builder[Any]] = [
    a_quota().with_limits(maxWorkflows=5).with_compute(pods=3),
    a_workspace().with_namespace("a", 100).with_member("viewer", "Group", "g").with_egress("10.0.0.0/8", {"port": 1}),
    a_workflow().with_schedule("s", "0 2 * * *").with_node("a", container(env=[{"name": "A", "value": ""}])),
    a_run().with_inputs(a=None, b={"c": None}).cancelled(),
]


@pytest.mark.parametrize("builder", SHAPES, ids=lambda builder: builder.kind.resource.kind)
def test_defaults_of_python_and_of_the_api_server_are_the_same(builder: Builder[Any]) -> None:
    schema = object_schema(builder.kind)["properties"]["spec"]

    served = _with_defaults(schema, builder.manifest()["spec"])

    assert builder.model().spec == builder.kind.model_fields["spec"].annotation.model_validate(served)
    assert _with_defaults(schema, builder.model().spec.to_wire()) == builder.model().spec.to_wire()


def _with_defaults(schema: dict[str, Any], value: Any) -> Any:
    """The value as the API server fills it in."""
    if isinstance(value, list):
        return [_with_defaults(schema["items"], item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    filled = dict(value)
    for name, member in schema["properties"].items():
        if name not in filled and "default" in member:
            filled[name] = member["default"]
        if name in filled:
            filled[name] = _with_defaults(member, filled[name])
    return filled


def test_null_in_free_form_is_kept() -> None:
    assert a_run().with_inputs(a=None, b={"c": None}).model().spec.to_wire()["inputs"] == {"a": None, "b": {"c": None}}


def test_what_only_actions_may_have_is_written_only_where_it_was_set() -> None:
    workflow = a_workflow().with_node("plain").with_node("timed", timeout="5m", retry={"limit": 1}).model()

    by_hand, plain, timed = workflow.spec.to_wire()["nodes"]

    assert not by_hand.keys() & {"timeout", "retry"}
    assert not plain.keys() & {"timeout", "retry"}
    assert timed["timeout"] == "5m"
    assert timed["retry"]["limit"] == 1
