from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from tests.support.generate import many, mutated, of_schema
from tests.support.generated import Crowd

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"type": "string", "enum": ["owner", "viewer"]},
        "share": {"type": "integer", "minimum": 1, "maximum": 100},
        "nodes": {
            "type": "array",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string", "x-kubernetes-validations": [{"rule": "self.matches(r'^[a-c]{1,2}$')"}]}
                },
            },
        },
    },
}


def test_the_same_seed_gives_the_same_objects_and_another_gives_others() -> None:
    strategy = of_schema(SCHEMA)

    assert many(strategy, 20, 1) == many(strategy, 20, 1) != many(strategy, 20, 2)
    assert len(many(strategy, 20, 1)) == 20


def test_examples_may_be_so_large_that_hypothesis_would_warn_of_writing_them_out() -> None:
    huge = st.integers(0, 9).map(lambda digit: str(digit) * 100_000)

    assert len(many(huge, 3, 1)) == 3


def test_a_crowd_holds_as_many_different_objects_of_each_kind_as_wanted_under_names_of_their_own() -> None:
    crowd = Crowd(30, 20, 10, "x", namespaces=("a", "b"), plans=("team",), others=("theirs",))

    objects = crowd.objects(1)

    assert objects == crowd.objects(1)
    assert Counter(item["kind"] for item in objects) == {"Workflow": 30, "Quota": 20, "Workspace": 10}
    own = [item["metadata"]["name"] for item in objects if item["metadata"]["name"].startswith("x-")]
    assert len(own) == len(set(own)) > 40
    assert {item["kind"] for item in objects[:6]} == {"Workflow", "Quota", "Workspace"}, "they come mixed"


def test_objects_keep_to_types_enums_patterns_and_keys_of_their_schema() -> None:
    for item in many(of_schema(SCHEMA), 100, 1):
        ids = [node["id"] for node in item.get("nodes", [])]
        assert item["role"] in ("owner", "viewer")
        assert 0 <= item.get("share", 1) <= 101, "bounds are tried from both sides"
        assert len(ids) == len(set(ids))
        assert all(set(name) <= set("abc") for name in ids)


def test_a_mutation_leaves_little_as_it_was_and_never_changes_what_it_began_with() -> None:
    base = {"spec": {"quotaRef": {"name": "team"}, "members": [{"role": "owner"}]}}

    changed = many(mutated(st.just(base)), 50, 1)

    assert base == {"spec": {"quotaRef": {"name": "team"}, "members": [{"role": "owner"}]}}
    assert sum(item != base for item in changed) > 45
