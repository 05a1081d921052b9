"""The ResourceQuota and the LimitRange of a namespace."""

from __future__ import annotations

from types import MappingProxyType
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

_UNLESS_SAID: Mapping[str, str] = MappingProxyType(
    {
        "requests.cpu": "8",
        "requests.memory": "16Gi",
        "limits.cpu": "16",
        "limits.memory": "32Gi",
        "requests.ephemeral-storage": "32Gi",
        "limits.ephemeral-storage": "64Gi",
        "requests.storage": "100Gi",
        "pods": "200",
        "services": "50",
        # What costs money or opens the cluster to the outside is asked for, never given.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "secrets": "200",
        "configmaps": "200",
        "persistentvolumeclaims": "20",
        "replicationcontrollers": "50",
        "count/deployments.apps": "100",
        "count/statefulsets.apps": "50",
        "count/replicasets.apps": "500",
        "count/jobs.batch": "5000",
        "count/cronjobs.batch": "50",
        "count/ingresses.networking.k8s.io": "50",
        "count/workflowruns.headgate.dev": "2000",
    }
)
"""For a whole workspace whose plan does not say."""
_OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "cpu": "requests.cpu",
        "memory": "requests.memory",
        "ephemeral-storage": "requests.ephemeral-storage",
        "count/pods": "pods",
        "count/services": "services",
        "count/secrets": "secrets",
        "count/configmaps": "configmaps",
        "count/persistentvolumeclaims": "persistentvolumeclaims",
        "count/replicationcontrollers": "replicationcontrollers",
    }
)
"""Names that mean the same to a ResourceQuota, or nearly so."""
_CONTAINER_LIMITS: Mapping[str, str] = MappingProxyType({"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "1Gi"})
_CONTAINER_REQUESTS: Mapping[str, str] = MappingProxyType(
    {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "64Mi"}
)
"""For resources of which a plan's container defaults do not say it: a container has to have what a quota limits."""


def workspace_totals(quota: Quota) -> dict[str, Amount]:
    """What all namespaces of a workspace on that plan may use together, by name of the resource.

    The plan's compute, the number of workflows, and modest amounts where the plan is silent. Raises ValueError where
    the plan holds what is no quantity.
    """
    said = quota.spec.compute
    meant = {*said, *(_OTHER_NAMES[name] for name in said if name in _OTHER_NAMES)}
    silent = {name: text for name, text in _UNLESS_SAID.items() if name not in meant}
    amounts = {**silent, **said, WORKFLOW_COUNT: str(quota.spec.limits.max_workflows)}
    return {resource: Amount.parse(text).in_resource_list() for resource, text in amounts.items()}


def resource_quota(context: NamespaceContext) -> Manifest:
    """The ResourceQuota, by which the API server keeps the namespace to its part of the plan."""
    hard = {resource: amount.canonical() for resource, amount in context.hard.items()}
    return child(
        RESOURCE_QUOTA, name=QUOTA_NAME, namespace=context.namespace, workspace=context.owner, spec={"hard": hard}
    )


def limit_range(context: NamespaceContext) -> Manifest:
    """The LimitRange: every container has requests and limits of CPU, memory and ephemeral storage.

    The defaults that the API server derives are written out, by its own rules: a limit from the maximum, a request from
    the limit, and otherwise from the minimum.
    """
    defaults = context.quota.spec.container_defaults
    maximum, minimum = _amounts(defaults.max), _amounts(defaults.min)
    said_limit, said_request = _amounts(defaults.default), _amounts(defaults.default_request)
    limit = {**maximum, **said_limit}
    for name, modest in _amounts(_CONTAINER_LIMITS).items():
        limit.setdefault(name, max([modest, *(given[name] for given in (said_request, minimum) if name in given)]))
    request = {**minimum, **limit, **said_request}
    said = {*maximum, *minimum, *said_limit, *said_request}
    request |= {name: modest for name, modest in _amounts(_CONTAINER_REQUESTS).items() if name not in said}
    bounds = {"default": limit, "defaultRequest": request, "max": maximum, "min": minimum}
    item: dict[str, Any] = {"type": "Container"}
    item |= {
        name: {key: amount.canonical() for key, amount in amounts.items()}
        for name, amounts in bounds.items()
        if amounts
    }
    return child(
        LIMIT_RANGE, name="headgate", namespace=context.namespace, workspace=context.owner, spec={"limits": [item]}
    )


def _amounts(texts: Mapping[str, str]) -> dict[str, Amount]:
    return {resource: Amount.parse(text).in_resource_list() for resource, text in texts.items()}
