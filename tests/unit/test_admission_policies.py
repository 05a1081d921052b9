from __future__ import annotations

from typing import Any

import pytest

from tests.charts import ChartError, Rendered, render

MUTATING = "MutatingAdmissionPolicy"
V1 = f"admissionregistration.k8s.io/v1/{MUTATING}"
V1BETA1 = f"admissionregistration.k8s.io/v1beta1/{MUTATING}"


@pytest.fixture(scope="module")
def chart() -> Rendered:
    """The chart with nothing but its defaults."""
    return render()


def test_every_policy_fails_closed_and_is_bound_to_deny(chart: Rendered) -> None:
    policies = chart.all("ValidatingAdmissionPolicy")

    assert len(policies) == 18
    assert {policy["spec"]["failurePolicy"] for policy in policies} == {"Fail"}
    for policy in policies:
        binding = chart.one("ValidatingAdmissionPolicyBinding", policy["metadata"]["name"])
        assert binding["spec"]["policyName"] == policy["metadata"]["name"]
        assert "Deny" in binding["spec"]["validationActions"]


def test_every_denial_says_what_to_change(chart: Rendered) -> None:
    for policy in chart.all("ValidatingAdmissionPolicy"):
        for validation in policy["spec"]["validations"]:
            assert validation.get("message"), validation


def test_taking_the_label_off_does_not_take_a_namespace_out_of_the_policy(chart: Rendered) -> None:
    assert "matchResources" not in chart.one("ValidatingAdmissionPolicyBinding", "headgate-namespaces")["spec"]


def test_nobody_is_exempt_from_what_confines_the_operator() -> None:
    chart = render({"admission": {"exempt": {"users": ["restore"], "groups": ["backup"]}}})

    exempting = {
        policy["metadata"]["name"]
        for policy in chart.all("ValidatingAdmissionPolicy")
        if any("restore" in condition["expression"] for condition in policy["spec"].get("matchConditions", ()))
    }

    assert len(exempting) == 14
    assert not {name for name in exempting if name.startswith("headgate-operator")}


def test_what_confines_the_operator_concerns_no_request_in_a_workspaces_namespace_but_of_some_kinds(
    chart: Rendered,
) -> None:
    selectors = [
        binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        for binding in chart.all("ValidatingAdmissionPolicyBinding")
        if binding["spec"]["policyName"] == "headgate-operator"
    ]

    assert selectors == [
        [{"key": "headgate.dev/workspace", "operator": "DoesNotExist"}],
        [
            {"key": "headgate.dev/workspace", "operator": "Exists"},
            {"key": "app.kubernetes.io/managed-by", "operator": "NotIn", "values": ["headgate"]},
        ],
    ]


def test_policies_can_be_left_out() -> None:
    assert render({"admission": {"enabled": False}}).all("ValidatingAdmissionPolicy") == []


def test_names_that_would_end_an_expression_are_refused() -> None:
    with pytest.raises(ChartError, match="schema"):
        render({"admission": {"exempt": {"users": ["x' || true || '"]}}})


@pytest.fixture(scope="module")
def defaults() -> Rendered:
    """The chart for a cluster whose API server gives defaults."""
    return render(apis=[V1])


def test_without_policies_that_mutate_in_the_api_server_none_is_made(chart: Rendered) -> None:
    assert chart.all(MUTATING) == []
    assert chart.all(f"{MUTATING}Binding") == []
    assert len(chart.all("ValidatingAdmissionPolicy")) == 18


@pytest.mark.parametrize(
    ("apis", "version"),
    [([V1], "v1"), ([V1BETA1], "v1beta1"), ([V1BETA1, V1], "v1")],
)
def test_policies_that_mutate_are_of_the_best_version_there_is(apis: list[str], version: str) -> None:
    chart = render(apis=apis)

    made = chart.all(MUTATING) + chart.all(f"{MUTATING}Binding")

    assert len(made) == 8
    assert {item["apiVersion"] for item in made} == {f"admissionregistration.k8s.io/{version}"}


@pytest.mark.parametrize("values", [{"defaults": False}, {"enabled": False}])
def test_defaults_can_be_left_out(values: dict[str, Any]) -> None:
    chart = render({"admission": values}, apis=[V1, V1BETA1])

    assert chart.all(MUTATING) + chart.all(f"{MUTATING}Binding") == []


def test_defaults_that_fail_leave_the_judgement_to_the_policies_that_validate(defaults: Rendered) -> None:
    for policy in defaults.all(MUTATING):
        assert policy["spec"]["failurePolicy"] == "Ignore"
        assert policy["spec"]["reinvocationPolicy"] == "IfNeeded"


def test_defaults_concern_namespaces_of_workspaces_only(defaults: Rendered) -> None:
    for policy in defaults.all(MUTATING):
        binding = defaults.one(f"{MUTATING}Binding", policy["metadata"]["name"])
        assert binding["spec"] == {
            "policyName": policy["metadata"]["name"],
            "matchResources": {
                "namespaceSelector": {"matchExpressions": [{"key": "headgate.dev/workspace", "operator": "Exists"}]}
            },
        }


def test_defaults_never_concern_what_is_headgate_s_or_exempt() -> None:
    chart = render({"admission": {"exempt": {"users": ["restore"], "groups": []}}}, apis=[V1])

    for policy in chart.all(MUTATING):
        conditions = {each["name"]: each["expression"] for each in policy["spec"]["matchConditions"]}
        assert "system:serviceaccount:headgate-system:headgate" in conditions["not-operator"]
        assert "app.kubernetes.io/managed-by" in conditions["not-headgate-s"]
        assert "restore" in conditions["not-exempt"]


def test_pods_and_jobs_that_are_made_already_are_left_alone(defaults: Rendered) -> None:
    for policy in defaults.all(MUTATING):
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]:
            if {"pods", "jobs", "persistentvolumeclaims"} & set(rule["resources"]):
                assert rule["operations"] == ["CREATE"]


def test_no_condition_looks_at_the_namespace_which_is_not_there_yet(defaults: Rendered) -> None:
    for policy in defaults.all(MUTATING):
        assert not any("namespaceObject" in each["expression"] for each in policy["spec"]["matchConditions"])
