"""The resources that the operator works with, beside the children of workspaces."""

from __future__ import annotations

from headgate.api.base import GROUP, VERSION, CustomResource
from headgate.api.quota import Quota
from headgate.api.workflow import Workflow
from headgate.api.workflow_run import WorkflowRun
from headgate.api.workspace import Workspace
from headgate.desired.keys import CHILD_KINDS, ApiResource


def _custom(model: type[CustomResource]) -> ApiResource:
    kind = model.resource
    return ApiResource(GROUP, VERSION, kind.kind, kind.plural, namespaced=kind.scope == "Namespaced")


QUOTAS = _custom(Quota)
WORKSPACES = _custom(Workspace)
WORKFLOWS = _custom(Workflow)
WORKFLOW_RUNS = _custom(WorkflowRun)
JOBS = ApiResource("batch", "v1", "Job", "jobs", namespaced=True)
PODS = ApiResource("", "v1", "Pod", "pods", namespaced=True)
POD_METRICS = ApiResource("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", namespaced=True)
EVENTS = ApiResource("", "v1", "Event", "events", namespaced=True)
LEASES = ApiResource("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
CUSTOM_RESOURCE_DEFINITIONS = ApiResource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

CUSTOM_RESOURCES = (QUOTAS, WORKSPACES, WORKFLOWS, WORKFLOW_RUNS)
"""Headgate's own kinds: all their objects are watched."""

LABELLED_RESOURCES: tuple[ApiResource, ...] = (*CHILD_KINDS, JOBS, PODS)
"""Kinds of which only the objects labelled as Headgate's are watched."""

FEW: tuple[ApiResource, ...] = (QUOTAS, WORKSPACES)
"""Kinds that Kopf watches: it takes its first list whole, and a task for each event."""
MANY: tuple[ApiResource, ...] = (WORKFLOWS, WORKFLOW_RUNS, *LABELLED_RESOURCES)
"""Kinds of which there are tens for each of these, or that change all the time."""

WATCHED = (*CUSTOM_RESOURCES, *LABELLED_RESOURCES)
