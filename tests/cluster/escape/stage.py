"""The stage: two workspaces, the people of one of them with real tokens, and no operator that runs."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hack.kube import Kube
from hack.record import NAMESPACE
from headgate.cluster.connection import connect
from tests.cluster.escape.requests import Identity
from tests.support.cluster import unique
from tests.support.operator_process import OperatorProcess

REGISTRY = "registry.example.com/team"
PEOPLE = ("owner", "editor", "viewer", "broad", "outsider")


@dataclass(frozen=True)
class Stage:
    """Who plays, and where."""

    kube: Kube
    names: dict[str, str]
    tokens: dict[str, str] = field(repr=False)

    def identity(self, who: str) -> Identity:
        """One of the people, ``operator`` or ``admin``.

        ``owner``, ``editor`` and ``viewer`` are members of the attacker's workspace, ``neighbour`` owns the victim's.
        ``broad`` may do everything in the attacker's namespace, and everything with every namespace, as far as RBAC is
        concerned.
        """
        connection = connect(str(self.kube.kubeconfig))
        if who == "admin":
            return Identity(connection.server, connection.ssl_context(), None, self.names)
        # Trust alone: with the administrator's certificate at hand the token would not count.
        trust = ssl.create_default_context(cafile=connection.ca_path)
        return Identity(connection.server, trust, self.tokens[who], self.names)


def _member(role: str, people: str, name: str) -> dict[str, Any]:
    return {"role": role, "subject": {"kind": "ServiceAccount", "name": name, "namespace": people}}


def workspaces(names: dict[str, str]) -> list[dict[str, Any]]:
    """The attacker's workspace, with every rule that there is, and the victim's, with none."""
    people = names["people"]
    attacker = {
        "quotaRef": {"name": names["quota"]},
        "namespaces": [{"name": names["ns"]}, {"name": names["second"]}],
        "members": [_member(role, people, role) for role in ("owner", "editor", "viewer")],
        "images": {"allowedRegistries": [REGISTRY, "docker.io/library"], "pullPolicy": "Always"},
        "scheduling": {
            "nodeSelector": {"disktype": "ssd"},
            "tolerations": [
                {"key": "dedicated", "operator": "Equal", "value": "team", "effect": "NoSchedule"},
                {"key": "spot", "operator": "Exists", "effect": "NoExecute"},
            ],
            "priorityClasses": [names["priority"]],
            "runtimeClass": names["runtime"],
        },
        "storage": {"allowedClasses": ["fast"]},
        "exposure": {"allowedClasses": ["inside"]},
        "residency": {"regions": ["eu-1", "eu-2"]},
    }
    victim = {"quotaRef": {"name": names["quota"]}, "members": [_member("owner", people, "neighbour")]}
    return [
        {"apiVersion": "headgate.dev/v1alpha1", "kind": "Workspace", "metadata": {"name": name}, "spec": spec}
        for name, spec in ((names["ws"], attacker), (names["victim"], victim))
    ]


def _scenery(names: dict[str, str]) -> list[dict[str, Any]]:
    rbac = "rbac.authorization.k8s.io"
    broad = {"kind": "ServiceAccount", "name": "broad", "namespace": names["people"]}
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": names["people"]}}
        for name in (*PEOPLE, "neighbour")
    ]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names["people"]}},
        *accounts,
        {
            "apiVersion": "headgate.dev/v1alpha1",
            "kind": "Quota",
            "metadata": {"name": names["quota"]},
            "spec": {"limits": {}, "compute": {"pods": "500", "requests.cpu": "400", "limits.cpu": "400"}},
        },
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": names["priority"]},
            "value": 1,
        },
        *(
            {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "x"}
            for name in (names["runtime"], names["runtime"] + "-other")
        ),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": names["people"]},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["namespaces", "namespaces/status", "namespaces/finalize"],
                    "verbs": ["*"],
                }
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": names["people"]},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": names["people"]},
            "subjects": [broad],
        },
    ]


def _broad(names: dict[str, str]) -> dict[str, Any]:
    rbac = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "broad", "namespace": names["ns"]},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "broad", "namespace": names["people"]}],
    }


def _props(names: dict[str, str], pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Things in the namespaces that tries are about."""
    workflow = {
        "nodes": [
            {"id": "by-hand", "type": "trigger", "config": {"manual": {}}},
            {
                "id": "say",
                "type": "action",
                "dependsOn": ["by-hand"],
                "config": {"container": {"image": f"{REGISTRY}/app:1"}},
            },
        ]
    }
    made: list[dict[str, Any]] = []
    for namespace in (names["ns"], names["victim"]):
        made += [
            {"apiVersion": "v1", "kind": kind, "metadata": {"name": "prop", "namespace": namespace}}
            for kind in ("ConfigMap", "Secret")
        ]
        made += [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "prop", "namespace": namespace},
                "spec": {"ports": [{"port": 80}], "clusterIP": "None"},
            },
            {
                "apiVersion": "headgate.dev/v1alpha1",
                "kind": "Workflow",
                "metadata": {"name": "prop", "namespace": namespace},
                "spec": workflow,
            },
            {
                "apiVersion": "headgate.dev/v1alpha1",
                "kind": "WorkflowRun",
                "metadata": {"name": "prop", "namespace": namespace},
                # Whenever an operator comes by, it starts nothing.
                "spec": {"workflowRef": {"name": "prop"}, "suspend": True},
            },
        ]
    made.append(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "prop", "namespace": names["ns"]}, "spec": pod}
    )
    return made


@contextmanager
def staged(
    kube: Kube, operator_kubeconfig: Path, new_operator: Callable[[], OperatorProcess], pod: dict[str, Any]
) -> Iterator[Stage]:
    """Sets the stage with an operator, which is stopped before anybody tries anything."""
    attacker, victim = unique("mallory"), unique("victim")
    names = {
        "ws": attacker,
        "ns": f"{attacker}-a",
        "second": f"{attacker}-b",
        "victim": victim,
        "people": unique("people"),
        "quota": unique("escape"),
        "priority": unique("batch"),
        "runtime": unique("sandbox"),
        "system": NAMESPACE,
    }
    for item in (*_scenery(names), *workspaces(names)):
        kube.apply(item)
    _with_operator(kube, new_operator, "--for=condition=Ready", names)
    kube.apply(_broad(names))
    text = json.dumps(_props(names, pod))
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    for item in json.loads(text):
        kube.apply(item)
    tokens = {
        name: kube.kubectl("create", "token", name, f"--namespace={names['people']}", "--duration=2h").strip()
        for name in (*PEOPLE, "neighbour")
    }
    operator = yaml.safe_load(operator_kubeconfig.read_text())["users"][0]["user"]["token"]
    yield Stage(kube, names, {**tokens, "operator": operator})
    _clear(kube, new_operator, names)


def _with_operator(kube: Kube, new_operator: Callable[[], OperatorProcess], until: str, names: dict[str, str]) -> None:
    operator = new_operator().start().wait_until_leading()
    try:
        kube.kubectl("wait", until, "--timeout=180s", "workspace", names["ws"], names["victim"])
    finally:
        operator.stop()


def _clear(kube: Kube, new_operator: Callable[[], OperatorProcess], names: dict[str, str]) -> None:
    kube.kubectl("delete", "workspace", names["ws"], names["victim"], "--wait=false", "--ignore-not-found")
    _with_operator(kube, new_operator, "--for=delete", names)
    namespaces = [names[key] for key in ("ns", "second", "victim", "people")]
    kube.kubectl("delete", "namespace", *namespaces, "--wait=false", "--ignore-not-found")
    for kind in ("clusterrole", "clusterrolebinding"):
        kube.kubectl("delete", kind, names["people"], "--ignore-not-found")
    kube.kubectl("delete", "quotas.headgate.dev", names["quota"], "--ignore-not-found")
    kube.kubectl("delete", "priorityclass", names["priority"], "--ignore-not-found")
    kube.kubectl("delete", "runtimeclass", names["runtime"], names["runtime"] + "-other")
