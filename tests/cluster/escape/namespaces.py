"""What is tried with namespaces: by members, and by somebody whom RBAC lets do everything with every namespace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cluster.escape.cases import Case, policy
from tests.cluster.escape.objects import READ_CONFIG_MAP, cannot
from tests.cluster.escape.requests import APPLY, JSON_PATCH, MERGE, STRATEGIC, Request, create, delete, get, patch

_BY = policy("namespaces")
_WHERE = "/api/v1/namespaces"
_NOTE = patch(f"{_WHERE}/{{ns}}", {"metadata": {"annotations": {"example.com/note": "x"}}})

CONDITION = {"type": "NamespaceDeletionContentFailure", "status": "True", "reason": "x", "message": "x"}
CHANGES: Mapping[str, dict[str, Any]] = {
    "pod-security": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
    "pod-security-off": {"labels": {"pod-security.kubernetes.io/enforce": None}},
    "pod-security-version": {"labels": {"pod-security.kubernetes.io/enforce-version": "v1.0"}},
    "another-workspace": {"labels": {"headgate.dev/workspace": "{victim}"}},
    "no-workspace": {"labels": {"headgate.dev/workspace": None}},
    "not-managed": {"labels": {"app.kubernetes.io/managed-by": "me"}},
    "further-label": {"labels": {"team": "x"}},
    "registries": {"annotations": {"headgate.dev/allowed-registries": "evil.example.com"}},
    "no-registries": {"annotations": {"headgate.dev/allowed-registries": None}},
    "priorities": {"annotations": {"headgate.dev/priority-classes": "system-node-critical"}},
    "tolerations": {"annotations": {"headgate.dev/tolerations": "x:NoSchedule"}},
    "namespaces": {"annotations": {"headgate.dev/workspace-namespaces": "{victim}"}},
    "adopt": {"annotations": {"headgate.dev/adopt-by": "{victim}"}},
    "scheduler": {"annotations": {"scheduler.alpha.kubernetes.io/node-selector": "x=y"}},
}
"""Each a change of a namespace's metadata."""


def _set(metadata: dict[str, Any]) -> dict[str, Any]:
    return {part: {key: value for key, value in entries.items() if value} for part, entries in metadata.items()}


def _steps(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "op": "remove" if value is None else "add",
            "path": f"/metadata/{part}/{key.replace('/', '~1')}",
            **({} if value is None else {"value": value}),
        }
        for part, entries in metadata.items()
        for key, value in entries.items()
    ]


def _patches(name: str, metadata: dict[str, Any], where: str) -> Iterator[tuple[str, Request]]:
    yield f"merge-{name}", patch(where, {"metadata": metadata}, MERGE)
    yield f"strategic-{name}", patch(where, {"metadata": metadata}, STRATEGIC)
    yield f"json-{name}", patch(where, _steps(metadata), JSON_PATCH)
    wanted = _set(metadata)
    if any(wanted.values()):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{ns}", **wanted}}
        yield f"apply-{name}", patch(where, body, APPLY)


def own() -> Iterator[Case]:
    """Labels and annotations stay, whatever subresource and form of patch is used."""
    for name, metadata in CHANGES.items():
        for subresource in ("", "/status"):
            for label, attempt in _patches(name, metadata, f"{_WHERE}/{{ns}}{subresource}"):
                yield Case(f"{label}{subresource}", attempt, _BY, _NOTE, "broad")
        resource = "namespaces"
        attempt = patch(f"{_WHERE}/{{ns}}", {"metadata": metadata})
        yield Case(f"owner-{name}", attempt, cannot("patch", resource), READ_CONFIG_MAP)
    yield Case("delete", delete(f"{_WHERE}/{{ns}}"), _BY, _NOTE, "broad")
    yield Case("delete-as-owner", delete(f"{_WHERE}/{{ns}}"), cannot("delete", "namespaces"), READ_CONFIG_MAP)
    yield Case("delete-victim", delete(f"{_WHERE}/{{victim}}"), _BY, _NOTE, "broad")
    told = patch(f"{_WHERE}/{{ns}}/status", {"status": {"conditions": [CONDITION]}})
    yield Case("condition", told, _BY, _NOTE, "broad")
    victim = {"metadata": {"labels": {"headgate.dev/workspace": "{ws}"}}}
    yield Case("take-victim", patch(f"{_WHERE}/{{victim}}", victim), _BY, _NOTE, "broad")


def _namespace(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def others() -> Iterator[Case]:
    """No other namespace is made a workspace's."""
    plain = create(_WHERE, _namespace("escape-plain"))
    for name, labels in {
        "workspace": {"headgate.dev/workspace": "{victim}"},
        "own-workspace": {"headgate.dev/workspace": "{ws}"},
        "unknown-workspace": {"headgate.dev/workspace": "nobody"},
        "managed": {"app.kubernetes.io/managed-by": "headgate"},
    }.items():
        yield Case(f"create-{name}", create(_WHERE, _namespace("escape-new", labels=labels)), _BY, plain, "broad")
        body = {"metadata": {"labels": labels}}
        for place in ("{people}", "kube-system", "default", "{system}"):
            fine = patch(f"{_WHERE}/{place}", {"metadata": {"labels": {"x": "y"}}})
            yield Case(f"label-{name}-{place}", patch(f"{_WHERE}/{place}", body), _BY, fine, "broad")
            status = patch(f"{_WHERE}/{place}/status", body)
            yield Case(f"label-{name}-{place}-status", status, _BY, fine, "broad")
    for place in ("kube-system", "default", "{system}"):
        body = {"metadata": {"labels": {"headgate.dev/workspace": "{ws}"}}}
        fine = patch(f"{_WHERE}/{{people}}", body)
        yield Case(f"reserved-{place}", patch(f"{_WHERE}/{place}", body), _BY, fine, "admin")


CONSENT = patch(f"{_WHERE}/{{people}}", {"metadata": {"annotations": {"headgate.dev/adopt-by": "{ws}"}}})
"""Whoever may update a namespace that is not Headgate's may let a Workspace have it."""
READ = get(f"{_WHERE}/{{ns}}")


def finalize(body: dict[str, Any]) -> Request:
    """Replace a namespace by its finalize subresource."""
    return Request("PUT", f"{_WHERE}/{{ns}}/finalize", body)
