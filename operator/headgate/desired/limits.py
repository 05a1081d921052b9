"""The ResourceQuota and the LimitRange of a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.desired.keys import LIMIT_RANGE, RESOURCE_QUOTA
from headgate.desired.manifest import Manifest, child
from headgate.domain.amounts import Amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.api.quota import Quota
    from headgate.desired.context import NamespaceContext

WORKFLOW_COUNT = "count/workflows.headgate.dev"
QUOTA_NAME = "headgate"

_UNLESS_SAID = {"pods": "200", "services.loadbalancers": "0", "services.nodeports": "0"}
"""For a whole workspace: what costs money or opens the cluster to the outside is asked for, never given."""


def workspace_totals(quota: Quota) -> dict[str, Amount]:
    """What all namespaces of a workspace on that plan may use together, by name of the resource.

    The plan's compute, the number of workflows, and modest counts where the plan is silent. Raises ValueError where the
    plan holds what is no quantity.
    """
    amounts = {**_UNLESS_SAID, **quota.spec.compute, WORKFLOW_COUNT: str(quota.spec.limits.max_workflows)}
    return {resource: Amount.parse(text).in_resource_list() for resource, text in amounts.items()}


def resource_quota(context: NamespaceContext) -> Manifest:
    """The ResourceQuota, by which the API server keeps the namespace to its part of the plan."""
    hard = {resource: amount.canonical() for resource, amount in context.hard.items()}
    return child(
        RESOURCE_QUOTA, name=QUOTA_NAME, namespace=context.namespace, workspace=context.owner, spec={"hard": hard}
    )


def limit_range(context: NamespaceContext) -> Manifest | None:
    """The LimitRange with the plan's defaults for containers; None where the plan has none.

    The defaults that the API server derives are written out, by its own rules: a limit from the maximum, a request from
    the limit, and otherwise from the minimum.
    """
    defaults = context.quota.spec.container_defaults
    maximum, minimum = _canonical(defaults.max), _canonical(defaults.min)
    limit = {**maximum, **_canonical(defaults.default)}
    request = {**minimum, **limit, **_canonical(defaults.default_request)}
    bounds = {"default": limit, "defaultRequest": request, "max": maximum, "min": minimum}
    item: dict[str, Any] = {"type": "Container", **{name: amounts for name, amounts in bounds.items() if amounts}}
    if len(item) == 1:
        return None
    return child(
        LIMIT_RANGE, name="headgate", namespace=context.namespace, workspace=context.owner, spec={"limits": [item]}
    )


def _canonical(amounts: Mapping[str, str]) -> dict[str, str]:
    return {resource: Amount.parse(text).in_resource_list().canonical() for resource, text in amounts.items()}
