"""What a tenant gets who says nothing: silent objects, and what they look like afterwards."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from headgate.api.workspace import WorkspaceSpec
from headgate.desired.placement import placement
from tests.cluster.escape.pods import PATHS, POD, REGION, Spec, template
from tests.cluster.escape.requests import Request
from tests.cluster.escape.stage import REGISTRY, Stage, workspaces

BINDINGS = tuple(f"headgate-default-{name}" for name in ("placement", "security", "images", "classes"))
"""The bindings of the policies that give defaults."""
RESTRICTED: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
"""What every container is given in a namespace of the restricted level."""


def silent() -> Spec:
    """A template that says nothing but what to run."""
    containers = [{"name": "main", "image": f"{REGISTRY}/app:1"}]
    return template({"containers": containers, "initContainers": [{"name": "first", "image": f"{REGISTRY}/app:1"}]})


def silent_by(path: str) -> Request:
    """Such a template on one of the paths; for a DaemonSet with a region, which nobody gives it of several."""
    quiet = silent()
    if path == "daemonset":
        quiet["spec"]["nodeSelector"] = {REGION: "eu-1"}
    return PATHS[path].make(quiet)


def spoken() -> Spec:
    """A template that says everything, as the workspace allows it, and tolerates one taint of two."""
    said = copy.deepcopy(POD)
    said["tolerations"] = [{"key": "spot", "operator": "Equal", "value": "x", "effect": "NoExecute"}]
    return template(said)


def as_of_runs(stage: Stage) -> dict[str, Any]:
    """Where pods of runs are placed in the attacker's workspace."""
    return placement(WorkspaceSpec.model_validate(workspaces(stage.names)[0]["spec"]))


def in_namespace(request: Request, namespace: str) -> Request:
    """The same request in another namespace than the attacker's."""
    return replace(request, path=request.path.replace("{ns}", namespace))


def pod_spec(found: dict[str, Any]) -> Spec:
    """The spec of pods in an object that came back."""
    if found["kind"] == "Pod":
        spec: Spec = found["spec"]
        return spec
    holder = found if found["kind"] == "PodTemplate" else found["spec"]
    holder = holder["jobTemplate"]["spec"] if found["kind"] == "CronJob" else holder
    template_spec: Spec = holder["template"]["spec"]
    return template_spec


def tolerations(spec: Spec) -> list[dict[str, str]]:
    """What the pods tolerate besides what Kubernetes lets all of them."""
    return [t for t in spec.get("tolerations", ()) if not t.get("key", "").startswith("node.kubernetes.io/")]
