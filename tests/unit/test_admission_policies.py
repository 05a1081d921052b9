from __future__ import annotations

import pytest

from tests.charts import ChartError, Rendered, render


@pytest.fixture(scope="module")
def chart() -> Rendered:
    """The chart with nothing but its defaults."""
    return render()


def test_every_policy_fails_closed_and_is_bound_to_deny(chart: Rendered) -> None:
    policies = chart.all("ValidatingAdmissionPolicy")

    assert len(policies) == 15
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
    assert "headgate-operator" not in exempting


def test_policies_can_be_left_out() -> None:
    assert render({"admission": {"enabled": False}}).all("ValidatingAdmissionPolicy") == []


def test_names_that_would_end_an_expression_are_refused() -> None:
    with pytest.raises(ChartError, match="schema"):
        render({"admission": {"exempt": {"users": ["x' || true || '"]}}})
