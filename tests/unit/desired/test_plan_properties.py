from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.api.workspace import Workspace
from headgate.desired.keys import NAMESPACE, ObjectKey, child_kind
from headgate.desired.manifest import owner_of
from headgate.desired.plan import plan
from headgate.desired.workspace import children
from tests.unit.desired.builders import FACTS, Live, a_member, a_quota, a_workspace, applied, carried_out, workspaces

RICH = children(
    a_workspace(
        members=[a_member(), a_member("viewer", "Group", "crew")],
        network={"egress": [{"cidr": "0.0.0.0/0", "ports": [{"port": 443}]}], "ingress": [{"cidr": "10.0.0.0/8"}]},
    ),
    a_quota(containerDefaults={"max": {"cpu": "4"}, "min": {"memory": "16Mi"}}),
    FACTS,
)


@given(workspaces)
def test_applying_twice_writes_once(workspace: Workspace) -> None:
    desired = children(workspace, a_quota(), FACTS)

    assert plan(desired, carried_out(plan(desired, {}), {})).is_empty


@given(workspaces, workspaces)
def test_any_change_of_the_spec_settles_in_one_go(before: Workspace, after: Workspace) -> None:
    live = applied(children(before, a_quota(), FACTS))
    desired = children(after, a_quota(), FACTS)

    assert plan(desired, carried_out(plan(desired, live), live)).is_empty


@given(workspaces, workspaces)
def test_others_objects_are_never_touched(before: Workspace, after: Workspace) -> None:
    live = _with_foreign_objects(applied(children(before, a_quota(), FACTS)))
    made = plan(children(after, a_quota(), FACTS), live)

    for deletion in made.prune:
        assert owner_of(live[deletion.key]) == "acme"
    assert not any(deletion.key.kind == NAMESPACE.kind for deletion in made.prune)


@given(st.data())
def test_a_single_change_to_a_section_of_ours_is_repaired_in_one_go(data: st.DataObject) -> None:
    live = applied(RICH)
    _mutate(live, data)

    made = plan(RICH, live)

    assert made.writes in (1, 2)
    repaired = carried_out(made, live)
    assert plan(RICH, repaired).is_empty
    assert _exclusive(repaired) == _exclusive(applied(RICH))


def test_planning_changes_nothing_that_it_is_given() -> None:
    live = applied(RICH)
    before = copy.deepcopy((RICH, live))

    plan(RICH, live)

    assert (RICH, live) == before


def _with_foreign_objects(live: Live) -> Live:
    foreign = {}
    for index, (key, item) in enumerate(live.items()):
        if key.kind != NAMESPACE.kind:
            theirs = copy.deepcopy(item)
            theirs["metadata"]["labels"]["headgate.dev/workspace"] = "globex"
            foreign[ObjectKey(key.group, key.kind, key.namespace, f"theirs-{index}")] = theirs
    return {**live, **foreign}


def _exclusive(live: Live) -> dict[tuple[ObjectKey, str], Any]:
    sections: dict[tuple[ObjectKey, str], Any] = {}
    for key, item in live.items():
        kind = child_kind(key.group, key.kind)
        assert kind is not None
        sections |= {(key, section): item.get(section) for section in kind.exclusive}
    return sections


def _mutate(live: Live, data: st.DataObject) -> None:
    """Change one thing somewhere in an exclusive section."""
    places: list[tuple[Any, Any]] = []
    for key, item in live.items():
        kind = child_kind(key.group, key.kind)
        assert kind is not None
        for section in kind.exclusive:
            _collect(item, section, places)
    holder, index = data.draw(st.sampled_from(places))
    value = holder[index]
    changes = ["remove", "replace"]
    if isinstance(value, dict | list):
        changes.append("add")
    change = data.draw(st.sampled_from(changes))
    if change == "remove":
        del holder[index]
    elif change == "replace":
        holder[index] = "changed" if value != "changed" else "again"
    elif isinstance(value, dict):
        value["added"] = {"by": "others"}
    else:
        value.insert(data.draw(st.integers(0, len(value))), {"added": "by others"})


def _collect(holder: Any, index: Any, places: list[tuple[Any, Any]]) -> None:
    places.append((holder, index))
    value = holder[index]
    for inner in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        _collect(value, inner, places)
