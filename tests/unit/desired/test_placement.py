from __future__ import annotations

from typing import Any

from headgate.desired.placement import placement
from tests.unit.desired.builders import a_workspace


def placed(**spec: Any) -> dict[str, Any]:
    return placement(a_workspace(**spec).spec)


def test_a_workspace_that_says_nothing_asks_nothing_of_pods() -> None:
    assert placed() == {}


def test_pods_run_where_the_workspace_says() -> None:
    made = placed(
        scheduling={
            "nodeSelector": {"pool": "tenants"},
            "tolerations": [{"key": "spot", "value": "yes", "effect": "NoSchedule"}],
            "priorityClasses": ["low", "high"],
            "runtimeClass": "gvisor",
        }
    )

    assert made == {
        "nodeSelector": {"pool": "tenants"},
        "tolerations": [{"key": "spot", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}],
        "priorityClassName": "low",
        "runtimeClassName": "gvisor",
    }


def test_one_region_is_selected_and_several_are_an_affinity() -> None:
    assert placed(residency={"regions": ["eu-1"]}) == {"nodeSelector": {"topology.kubernetes.io/region": "eu-1"}}
    [term] = placed(residency={"regions": ["eu-1", "eu-2"]})["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["eu-1", "eu-2"]
