"""Who does what in a benchmark: the operator with its own account and role, and a script that may do everything.

Both show tokens, as pods do: a client's certificate would be verified anew with each request.
"""

from __future__ import annotations

from pathlib import Path

from hack.kube import Kube
from hack.record import NAMESPACE
from tests.support.identities import kubeconfig_of, operator_account

_SCRIPT = "headgate-benchmark"


def operator(state: Path) -> tuple[Path, str]:
    """A kubeconfig of the operator's account, and the name of its user in the audit log."""
    kube = Kube((state / "kubeconfig").resolve())
    account = operator_account(kube)
    return kubeconfig_of(kube, account, state.resolve() / "operator.kubeconfig"), user(account)


def script(state: Path) -> Path:
    """A kubeconfig of an account that is bound to cluster-admin."""
    kube = Kube((state / "kubeconfig").resolve())
    named = {"name": _SCRIPT, "namespace": NAMESPACE}
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named})
    kube.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _SCRIPT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **named}],
        }
    )
    return kubeconfig_of(kube, _SCRIPT, state.resolve() / "benchmark.kubeconfig")


def user(account: str) -> str:
    """The user that a ServiceAccount of Headgate's namespace is."""
    return f"system:serviceaccount:{NAMESPACE}:{account}"
