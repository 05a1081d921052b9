"""Kubeconfigs: with the token of a ServiceAccount, as pods have one, and of nobody."""

from __future__ import annotations

from pathlib import Path

import yaml

from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE

OF_NO_CLUSTER = """
apiVersion: v1
kind: Config
clusters: [{name: x, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: x, user: {token: t}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
current-context: x
"""
"""A kubeconfig for processes that are to reach no cluster."""
_HOURS = 6


def operator_account(kube: Kube) -> str:
    """The name of the operator's ServiceAccount. Raises ``LookupError`` where the chart is not installed."""
    selected = f"app.kubernetes.io/instance={RELEASE}"
    found = kube.get(f"--namespace={NAMESPACE}", "serviceaccounts", f"--selector={selected}")["items"]
    if not found:
        raise LookupError(f"no release {RELEASE} in {NAMESPACE}: `make test-cluster KEEP=1` leaves one")
    return str(found[0]["metadata"]["name"])


def kubeconfig_of(kube: Kube, account: str, path: Path) -> Path:
    """Write a kubeconfig of a ServiceAccount in Headgate's namespace, good for some hours."""
    admin = yaml.safe_load(kube.kubeconfig.read_text())
    token = kube.kubectl("create", "token", account, f"--namespace={NAMESPACE}", f"--duration={_HOURS}h").strip()
    path.touch(mode=0o600)
    admin["users"] = [{"name": account, "user": {"token": token}}]
    for context in admin["contexts"]:
        context["context"]["user"] = account
    path.write_text(yaml.safe_dump(admin))
    return path
