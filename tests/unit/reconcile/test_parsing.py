from __future__ import annotations

import pytest

from headgate.api.quota import Quota
from headgate.api.workflow import Workflow
from headgate.reconcile.parsing import InvalidResource, parse
from tests.builders import a_quota, a_workflow


def test_an_object_becomes_a_model() -> None:
    workflow = parse(Workflow, a_workflow("nightly").with_metadata(uid="u", generation=4).manifest())

    assert (workflow.metadata.name, workflow.metadata.uid, workflow.metadata.generation) == ("nightly", "u", 4)
    assert [node.id for node in workflow.spec.nodes] == ["by-hand"]


def test_what_the_api_server_adds_does_no_harm() -> None:
    body = a_quota().with_metadata(managedFields=[{}], selfLink="/x").manifest()

    assert parse(Quota, {"apiVersion": "headgate.dev/v1alpha1", "kind": "Quota", **body}).metadata.name == "team"


def test_a_bad_spec_is_told_with_the_field_and_what_is_wrong() -> None:
    body = a_quota().with_spec(limits={"maxWorkflows": "many"}).manifest()

    with pytest.raises(InvalidResource, match=r"^spec\.limits\.maxWorkflows: Input should be"):
        parse(Quota, body)


def test_a_field_of_tomorrow_is_told() -> None:
    with pytest.raises(InvalidResource, match=r"^spec\.colour: Extra inputs are not permitted$"):
        parse(Quota, a_quota().with_spec(colour="red").manifest())


def test_a_bad_status_is_read_as_none() -> None:
    body = a_quota().with_status(workspaces="many", conditions="odd").manifest()

    assert parse(Quota, body).status == Quota.model_validate(a_quota().manifest()).status


def test_where_both_are_bad_the_spec_is_what_can_be_mended() -> None:
    body = a_quota().with_status(workspaces="many").with_spec(colour="red").manifest()

    with pytest.raises(InvalidResource) as raised:
        parse(Quota, body)

    assert "status" not in str(raised.value)


def test_a_missing_spec_is_told() -> None:
    with pytest.raises(InvalidResource, match=r"^spec: Field required$"):
        parse(Workflow, {"metadata": {"name": "nightly"}})


def test_of_many_problems_the_first_are_told() -> None:
    body = a_quota().with_spec(**{f"field{number}": 1 for number in range(5)}).manifest()

    with pytest.raises(InvalidResource) as raised:
        parse(Quota, body)

    assert str(raised.value).count("Extra inputs") == 3
    assert str(raised.value).endswith("(and 2 more)")


def test_values_are_not_told() -> None:
    body = a_quota().with_spec(limits={"maxWorkflows": "hunter2"}).manifest()

    with pytest.raises(InvalidResource) as raised:
        parse(Quota, body)

    assert "hunter2" not in str(raised.value)
