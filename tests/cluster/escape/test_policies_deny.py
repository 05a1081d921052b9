"""Each policy is what denies: without its binding, the same request is admitted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.cluster.escape.cases import policy
from tests.cluster.escape.namespaces import CHANGES
from tests.cluster.escape.objects import binding, config_map, core, decided, own
from tests.cluster.escape.operators import deployment
from tests.cluster.escape.pods import FLAWS, PATHS
from tests.cluster.escape.requests import Answer, Request, create, delete, patch
from tests.cluster.escape.stage import Stage
from tests.support.waiting import until

_NET = "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies"
_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "try"},
    "spec": {"ports": [{"port": 80}], "externalIPs": ["1.2.3.4"]},
}
_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "try"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": "slow",
    },
}
_OPEN = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "try"},
    "spec": {"podSelector": {}, "egress": [{}]},
}
_QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "try"}, "spec": {"hard": {}}}
_EVE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}


def _deployment(flaw: str) -> Request:
    return PATHS["deployment"].make(FLAWS[flaw].applied())


TRIES: Mapping[str, tuple[str, Request]] = {
    "pod-security": ("owner", _deployment("privileged")),
    "pod-images": ("owner", _deployment("registry-other")),
    "pod-scheduling": ("owner", _deployment("node-name")),
    "pod-identity": ("owner", _deployment("account-of-runs")),
    "managed": ("owner", create(core("configmaps"), config_map(labels={"headgate.dev/run": "x"}))),
    "resources": ("broad", patch(own("workflows", "prop/status"), {"status": {"observedGeneration": 7}})),
    "decisions": ("owner", patch(own("workflowruns", "prop"), decided("somebody"))),
    "namespaces": ("broad", patch("/api/v1/namespaces/{ns}", {"metadata": CHANGES["pod-security"]})),
    "rolebindings": ("owner", binding(_EVE)),
    "networkpolicies": ("owner", create(_NET, _OPEN)),
    "exposure": ("owner", create(core("services"), _SERVICE)),
    "storage": ("owner", create(core("persistentvolumeclaims"), _CLAIM)),
    "limits": ("broad", create(core("resourcequotas"), _QUOTA)),
    "operator-kinds": ("operator", deployment("mine")),
    "operator-namespaces": (
        "operator",
        patch("/api/v1/namespaces/kube-system", {"metadata": {"annotations": {"x": "y"}}}),
    ),
    "operator": ("operator", create("/api/v1/namespaces/kube-system/resourcequotas", _QUOTA)),
    "workspaces": ("admin", delete("/apis/headgate.dev/v1alpha1/workspaces/{ws}")),
}
"""For each policy who is denied what by it alone."""


@pytest.fixture
def active_run(stage: Stage) -> Iterator[None]:
    """The attacker's workspace says that a run is under way."""
    where = "/apis/headgate.dev/v1alpha1/workspaces/{ws}/status"
    admin = stage.identity("admin")
    admin.tries(patch(where, {"status": {"activeRuns": 1}}), dry=False)
    yield
    admin.tries(patch(where, {"status": {"activeRuns": 0}}), dry=False)


def _until(stage: Stage, who: str, request: Request, *, admitted: bool) -> str:
    """Returns when the policies that the API server goes by have changed."""

    def as_wanted() -> Answer | None:
        answer = stage.identity(who).tries(request)
        return answer if answer.admitted is admitted else None

    return until(as_wanted, what=f"that the try of {who} is {'admitted' if admitted else 'denied'}").message


@pytest.mark.usefixtures("active_run")
@pytest.mark.parametrize("name", TRIES)
def test_without_its_binding_the_policy_denies_nothing(stage: Stage, name: str) -> None:
    who, request = TRIES[name]
    kind = "validatingadmissionpolicybinding"
    assert policy(name) in _until(stage, who, request, admitted=False)
    saved = stage.kube.get(kind, f"headgate-{name}")
    stage.kube.kubectl("delete", kind, f"headgate-{name}")
    try:
        _until(stage, who, request, admitted=True)
    finally:
        kept = {key: saved["metadata"][key] for key in ("name", "labels", "annotations")}
        # In Helm's name, so that the next upgrade finds nobody else's fields.
        how = ("apply", "--server-side", "--field-manager=helm", "-f", "-")
        stage.kube.kubectl(*how, stdin=json.dumps({**saved, "metadata": kept}))
    assert policy(name) in _until(stage, who, request, admitted=False)


@pytest.mark.usefixtures("active_run")
def test_a_workspace_with_active_runs_is_deleted_when_forced_only(stage: Stage) -> None:
    where = "/apis/headgate.dev/v1alpha1/workspaces/{ws}"
    admin = stage.identity("admin")
    refused = admin.tries(delete(where))
    assert "wait for the 1 active runs" in refused.message
    assert 'headgate.dev/force-delete to "true"' in refused.message

    admin.tries(patch(where, {"metadata": {"annotations": {"headgate.dev/force-delete": "true"}}}), dry=False)
    forced = admin.tries(delete(where))
    admin.tries(patch(where, {"metadata": {"annotations": {"headgate.dev/force-delete": None}}}), dry=False)

    assert forced.admitted, forced.message


def test_no_operator_runs_while_policies_deny(stage: Stage) -> None:
    operators = ("--selector=app.kubernetes.io/component=operator", f"--namespace={stage.names['system']}")
    pods = stage.kube.get("pods", *operators)["items"]
    lease = stage.kube.get("lease", "headgate-operator", f"--namespace={stage.names['system']}")

    assert pods == []
    assert not lease["spec"].get("holderIdentity")
    assert policy("pod-images") in _until(stage, "owner", _deployment("registry-other"), admitted=False)
