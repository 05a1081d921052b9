"""What pods of runs get from their Workspace, so that they keep to its rules where their workflow says nothing."""

from __future__ import annotations

from typing import Any

from headgate.api.workspace import QuotaReference, WorkspaceSpec

ASKS_NOTHING = WorkspaceSpec(quota_ref=QuotaReference(name="unknown"))
"""A Workspace that has no wishes about pods."""
REGION_LABEL = "topology.kubernetes.io/region"


def placement(spec: WorkspaceSpec) -> dict[str, Any]:
    """The fields of a pod that decide where it runs and with what precedence; none where the Workspace is silent."""
    scheduling, regions = spec.scheduling, spec.residency.regions
    selector = dict(scheduling.node_selector)
    if len(regions) == 1:
        selector[REGION_LABEL] = regions[0]
    tolerations = [toleration.to_wire() for toleration in scheduling.tolerations]
    fields: dict[str, Any] = {
        "nodeSelector": selector,
        "tolerations": tolerations,
        "priorityClassName": next(iter(scheduling.priority_classes), None),
        "runtimeClassName": scheduling.runtime_class,
        "affinity": _in_regions(regions) if len(regions) > 1 else None,
    }
    return {name: value for name, value in fields.items() if value}


def _in_regions(regions: tuple[str, ...]) -> dict[str, Any]:
    expression = {"key": REGION_LABEL, "operator": "In", "values": list(regions)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
