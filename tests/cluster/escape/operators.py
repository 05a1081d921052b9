"""What somebody tries who holds the operator's own token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.cluster.escape.cases import Case, policy
from tests.cluster.escape.objects import cannot
from tests.cluster.escape.pods import template
from tests.cluster.escape.requests import APPLY, Request, create, delete, get, patch

_BY = policy("operator")
_KINDS = policy("operator-kinds")
_SPACES = policy("operator-namespaces")
_BEYOND = policy("operator-cluster")
"""Workspaces are in no namespace."""
_WHERE = "/api/v1/namespaces"
_PLACES = ("kube-system", "default", "{people}")
_OURS = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "{ws}"}
_QUOTA: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "try"},
    "spec": {"hard": {}},
}
_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "try"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "headgate-owner"},
    "subjects": [],
}
_DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "try"},
    "spec": {"podSelector": {}},
}
_ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "try"}}
_JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "try"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}}},
}


def deployment(name: str) -> Request:
    """Applies a Deployment in the attacker's namespace whose pods keep to the rules."""
    labels = {"app": "x"}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template()},
    }
    return patch(f"/apis/apps/v1/namespaces/{{ns}}/deployments/{name}", body, APPLY)


def _namespaced() -> Iterator[Case]:
    for resource, group, body in (
        ("resourcequotas", "/api/v1", _QUOTA),
        ("serviceaccounts", "/api/v1", _ACCOUNT),
        ("networkpolicies", "/apis/networking.k8s.io/v1", _DENY),
        ("rolebindings", "/apis/rbac.authorization.k8s.io/v1", _BINDING),
    ):
        fine = create(f"{group}/namespaces/{{ns}}/{resource}", body)
        for place in _PLACES:
            attempt = create(f"{group}/namespaces/{place}/{resource}", body)
            yield Case(f"create-{resource}-{place}", attempt, _BY, fine, "operator")
    quota = create(f"{_WHERE}/{{ns}}/resourcequotas", _QUOTA)
    for place in _PLACES:
        yield Case(f"job-{place}", create(f"/apis/batch/v1/namespaces/{place}/jobs", _JOB), _BY, quota, "operator")
        account = f"{_WHERE}/{place}/serviceaccounts/default"
        yield Case(f"delete-{place}", delete(account), _BY, quota, "operator")
        note = patch(account, {"metadata": {"annotations": {"x": "y"}}})
        yield Case(f"patch-{place}", note, _BY, quota, "operator")


def _namespaces() -> Iterator[Case]:
    def namespace(name: str, **metadata: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}

    def apply(name: str, **metadata: Any) -> Request:
        return patch(f"{_WHERE}/{name}", namespace(name, **metadata), APPLY)

    fine = apply("escape-new", labels=_OURS)
    yield Case("namespace-plain", apply("escape-new"), _SPACES, fine, "operator")
    yield Case("namespace-half", apply("escape-new", labels={"headgate.dev/workspace": "x"}), _SPACES, fine, "operator")
    yield Case("namespace-kube", apply("kube-escape", labels=_OURS), _SPACES, fine, "operator")
    privileged = {**_OURS, "pod-security.kubernetes.io/enforce": "privileged"}
    yield Case("namespace-privileged", apply("escape-new", labels=privileged), _SPACES, fine, "operator")
    for place in (*_PLACES, "{system}"):
        yield Case(f"take-{place}", apply(place, labels=_OURS), _SPACES, fine, "operator")
        yield Case(f"note-{place}", apply(place, annotations={"x": "y"}), _SPACES, fine, "operator")
        yield Case(
            f"delete-namespace-{place}",
            delete(f"{_WHERE}/{place}"),
            f"{_SPACES}|this namespace may not be deleted",
            delete(f"{_WHERE}/{{ns}}"),
            "operator",
        )
    hand = {"metadata": {"labels": {"headgate.dev/workspace": "{ws}"}}}
    yield Case("hand-over", patch(f"{_WHERE}/{{victim}}", hand), _SPACES, fine, "operator")
    loosen = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    yield Case("loosen", patch(f"{_WHERE}/{{ns}}", loosen), _SPACES, fine, "operator")


def _kinds() -> Iterator[Case]:
    own = "/apis/headgate.dev/v1alpha1"
    fine = patch(f"{own}/workspaces/{{ws}}", {"metadata": {"annotations": {"x": "y"}}})
    suspend = patch(f"{own}/workspaces/{{ws}}", {"spec": {"suspend": True}})
    yield Case("workspace-spec", suspend, _BEYOND, fine, "operator")
    members = patch(f"{own}/workspaces/{{ws}}", {"spec": {"members": []}})
    yield Case("workspace-members", members, _BEYOND, fine, "operator")
    yield Case("deployment", deployment("mine"), _KINDS, deployment("headgate-runners"), "operator")
    for resource, where in {
        "secrets": "/api/v1/secrets",
        "nodes": "/api/v1/nodes",
        "configmaps": f"{_WHERE}/{{ns}}/configmaps",
    }.items():
        yield Case(f"list-{resource}", get(where), cannot("list", resource), get(_WHERE), "operator")
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workspaces.headgate.dev"
    yield Case("delete-definition", delete(crd), cannot("delete", "customresourcedefinitions"), get(crd), "operator")
    exec_ = Request("POST", f"{_WHERE}/{{ns}}/pods/prop/exec?command=id")
    yield Case("exec", exec_, cannot("create", "pods/exec"), get(f"{_WHERE}/{{ns}}/pods"), "operator")


def confined() -> Iterator[Case]:
    """The operator's identity reaches nothing but what is Headgate's."""
    yield from _namespaced()
    yield from _namespaces()
    yield from _kinds()
