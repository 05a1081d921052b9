from __future__ import annotations

from typing import Any

import pytest

from headgate.api.quota import Quota, QuotaSpec
from headgate.api.workspace import Workspace
from headgate.domain.problems import problems_of_quota, problems_of_workspace

NOT_OWN = "is no namespace of this Workspace: list it in spec.namespaces or remove the rule"


def a_workspace(name: str = "acme", **spec: Any) -> Workspace:
    return Workspace.model_validate({"metadata": {"name": name}, "spec": {"quotaRef": {"name": "team"}, **spec}})


def a_quota(**spec: Any) -> Quota:
    return Quota.model_validate({"metadata": {"name": "team"}, "spec": spec})


def a_rule(cidr: str, **port: int) -> dict[str, Any]:
    return {"cidr": cidr, "ports": [port]} if port else {"cidr": cidr}


def test_plain_objects_have_none() -> None:
    assert problems_of_workspace(a_workspace()) == ()
    assert problems_of_quota(a_quota()) == ()


def test_shares_of_a_hundred_percent_have_none() -> None:
    assert problems_of_workspace(a_workspace(namespaces=[{"name": "a", "share": 60}, {"name": "b", "share": 40}])) == ()


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            {"namespaces": [{"name": "a", "share": 60}, {"name": "b", "share": 60}]},
            "the shares of spec.namespaces add up to 120 percent: lower them to 100 at most",
        ),
        (
            {"namespaces": [{"name": "a", "share": 100}, {"name": "b"}]},
            "nothing is left for namespace b: lower the shares of the others",
        ),
        ({"namespaces": [{"name": "a"}, {"name": "a"}]}, "spec.namespaces has a twice: remove one"),
        (
            {"network": {"egress": [a_rule("anywhere")]}},
            "spec.network.egress: anywhere is no network such as 203.0.113.0/24",
        ),
        (
            {"network": {"ingress": [a_rule("::ffff:10.0.0.0/104")]}},
            "spec.network.ingress: ::ffff:10.0.0.0/104 is no network such as 203.0.113.0/24",
        ),
        (
            {"network": {"egress": [a_rule("169.254.0.0/16")]}},
            "spec.network.egress: 169.254.0.0/16 holds nothing but metadata addresses, which stay closed: remove it",
        ),
        (
            {"network": {"egress": [a_rule("10.0.0.0/8", port=90, endPort=80)]}},
            "spec.network.egress: endPort 80 is below port 90",
        ),
        (
            {"network": {"ingress": [{"namespace": "acme", "ports": [{"port": 90, "endPort": 80}]}]}},
            "spec.network.ingress: endPort 80 is below port 90",
        ),
        (
            {"network": {"egress": [{"namespace": "globex"}]}},
            f"spec.network.egress: globex {NOT_OWN}",
        ),
        (
            {"namespaces": [{"name": "acme-dev"}], "network": {"ingress": [{"namespace": "acme"}]}},
            f"spec.network.ingress: acme {NOT_OWN}",
        ),
        (
            {"network": {"egress": [{"cidr": "203.0.113.0/24", "internet": True}]}},
            "spec.network.egress: every rule has exactly one of cidr, namespace and internet",
        ),
        (
            {"network": {"ingress": [{"ports": [{"port": 80}]}]}},
            "spec.network.ingress: every rule has exactly one of cidr and namespace",
        ),
        (
            {"network": {"egress": [{"internet": False}]}},
            "spec.network.egress: remove the rule instead of setting internet to false: what no rule allows is denied",
        ),
        (
            {"members": [{"role": "editor", "subject": {"kind": "ServiceAccount", "name": "ci"}}]},
            "spec.members: ServiceAccount ci needs its namespace",
        ),
    ],
)
def test_of_a_workspace(spec: dict[str, Any], problem: str) -> None:
    assert problems_of_workspace(a_workspace(**spec)) == (problem,)


def test_rules_for_namespaces_of_the_workspace_have_none() -> None:
    both_ways = {"egress": [{"namespace": "acme-dev"}], "ingress": [{"namespace": "acme-dev"}]}

    assert problems_of_workspace(a_workspace(namespaces=[{"name": "acme-dev"}], network=both_ways)) == ()
    assert problems_of_workspace(a_workspace("acme-dev", network=both_ways)) == ()
    assert problems_of_workspace(a_workspace(network={"egress": [{"internet": True}]})) == ()


def test_link_local_sources_are_none() -> None:
    assert problems_of_workspace(a_workspace(network={"ingress": [a_rule("169.254.0.0/16")]})) == ()


def test_a_name_that_no_namespace_can_have() -> None:
    assert problems_of_workspace(a_workspace("acme.example")) == (
        "acme.example cannot be the name of a namespace: list spec.namespaces",
    )
    assert problems_of_workspace(a_workspace("acme.example", namespaces=[{"name": "acme"}])) == ()


def test_a_name_that_no_label_can_hold() -> None:
    assert problems_of_workspace(a_workspace("a" * 64, namespaces=[{"name": "acme"}])) == (
        f"{'a' * 64} is longer than the 63 characters that a label can hold: choose a shorter name",
    )


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            {"compute": {"limits.cpu": "-1"}},
            "spec.compute: limits.cpu must be an amount of zero or more such as 500m, 2 or 1Gi, not -1",
        ),
        ({"compute": {"pods": "1500m"}}, "spec.compute: pods must be a whole number, not 1500m"),
        (
            {"containerDefaults": {"min": {"cpu": "-1"}}},
            "spec.containerDefaults.min: cpu must be an amount of zero or more, not -1",
        ),
        (
            {"containerDefaults": {"max": {"cpu": "200m"}}},
            "spec.containerDefaults: default of cpu is above max: lower one or raise the other",
        ),
    ],
)
def test_of_a_quota(spec: dict[str, Any], problem: str) -> None:
    assert problems_of_quota(a_quota(**spec)) == (problem,)


def test_fractions_of_cpu_and_bytes_are_none() -> None:
    assert problems_of_quota(a_quota(compute={"requests.cpu": "0.5", "requests.memory": "1.5Gi"})) == ()


def test_all_are_told_at_once() -> None:
    high, low = (dict.fromkeys(("memory", "ephemeral-storage", "cpu"), amount) for amount in ("9", "1"))
    defaults = {"min": high, "default": high, "defaultRequest": high, "max": low}

    assert [problem.split(" is above")[0] for problem in problems_of_quota(a_quota(containerDefaults=defaults))] == [
        f"spec.containerDefaults: {lesser} of {resource}"
        for lesser in ("min", "defaultRequest", "default")
        for resource in ("cpu", "ephemeral-storage", "memory")
    ]


def test_the_defaults_of_the_model_have_none() -> None:
    assert problems_of_quota(Quota.model_validate({"metadata": {"name": "q"}, "spec": QuotaSpec().to_wire()})) == ()
