"""The chart on a real cluster: the operator in its own pods, with no more permissions than the chart gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hack import install
from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE
from hack.shell import CommandError
from tests.support.databases import TestDatabase
from tests.support.waiting import until

pytestmark = pytest.mark.cluster

OPERATOR = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
SERVICE_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
TENANT = "chart-tenant"


@pytest.fixture(scope="module")
def installed(release: None, kube: Kube, chart_values: dict[str, Any]) -> Iterator[Kube]:
    """The release with two replicas of the operator, ready; none of them afterwards, as the other tests expect."""

    def with_replicas(number: int) -> dict[str, Any]:
        return {**chart_values, "operator": {**chart_values["operator"], "replicas": number}}

    with ExitStack() as stack:
        # Each of it is done, whatever becomes of the others: replicas that stay lead in the place of all later ones.
        stack.callback(install.install, kube, with_replicas(0))
        stack.callback(kube.kubectl, "delete", "namespace", TENANT, "--ignore-not-found", "--wait=false")
        stack.callback(kube.kubectl, "delete", "workspaces,quotas", TENANT, "--ignore-not-found", "--timeout=180s")
        # Its status may still count a run that has ended.
        stack.callback(kube.succeeds, "annotate", "workspace", TENANT, "headgate.dev/force-delete=true", "--overwrite")
        install.install(kube, with_replicas(2))
        yield kube


@pytest.fixture(scope="module")
def tenant(installed: Kube) -> Kube:
    """A workspace of the tests' own, with a namespace of the same name."""
    apply(installed, "Quota", {}, name=TENANT)
    members = [
        {"role": "owner", "subject": {"kind": "User", "name": "olga"}},
        {"role": "viewer", "subject": {"kind": "User", "name": "viktor"}},
    ]
    # With this policy a Workspace carries a finalizer: its namespaces go first.
    spec = {"quotaRef": {"name": TENANT}, "members": members, "deletionPolicy": "Delete"}
    apply(installed, "Workspace", spec, name=TENANT)
    installed.kubectl("wait", "--for=condition=Ready", f"workspace/{TENANT}", "--timeout=180s")
    return installed


def apply(kube: Kube, kind: str, spec: dict[str, Any], *, name: str, namespace: str | None = None) -> None:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    kube.apply({"apiVersion": "headgate.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


def allowed(kube: Kube, user: str, verb: str, resource: str, namespace: str, *options: str) -> bool:
    return kube.succeeds(
        "auth", "can-i", verb, resource, f"--as={user}", f"--namespace={namespace}", "--quiet", *options
    )


def pods(kube: Kube) -> list[str]:
    """Names of the operator's pods that are not on their way out."""
    found = kube.get("pods", f"--namespace={NAMESPACE}", OPERATOR)["items"]
    return [pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")]


def metrics(kube: Kube, pod: str) -> dict[str, float]:
    """A replica's samples; none while it does not answer."""
    try:
        text = kube.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics")
    except CommandError:
        return {}
    samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def leaders(kube: Kube) -> list[str]:
    return [pod for pod in pods(kube) if metrics(kube, pod).get("headgate_leader") == 1]


def leader(kube: Kube) -> str:
    """The replica that leads, as soon as one does."""
    return until(lambda: found[0] if len(found := leaders(kube)) == 1 else None, every=0.2, what="one replica leads")


def used(kube: Kube) -> dict[str, str]:
    """What the quota of the tenant's namespace has counted: nothing at first, and then nothing can be made."""
    quotas = kube.get("resourcequotas", f"--namespace={TENANT}")["items"]
    return {name: amount for quota in quotas for name, amount in quota.get("status", {}).get("used", {}).items()}


def bind(kube: Kube, role: str) -> None:
    """Bind a ClusterRole to somebody as the operator would."""
    subject = "--user=somebody"
    arguments = ("create", "rolebinding", f"to-{role}", f"--clusterrole={role}", subject, "--dry-run=server")
    kube.kubectl(*arguments, f"--namespace={TENANT}", f"--as={SERVICE_ACCOUNT}")


def test_one_of_two_ready_replicas_leads(installed: Kube) -> None:
    leader(installed)

    assert len(pods(installed)) == 2


def test_a_run_succeeds_with_the_chart_s_permissions_alone(tenant: Kube, image: str) -> None:
    script = "import os; open(os.environ['HEADGATE_OUTPUT'], 'w').write('{\"rows\": 3}')"
    check = "import os; assert os.environ['ROWS'] == '3'; print('three rows')"
    container = {"image": image, "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    nodes = [
        {"id": "start", "type": "trigger", "config": {"manual": {}}},
        {
            "id": "count",
            "type": "action",
            "dependsOn": ["start"],
            "config": {"container": {**container, "command": ["python3", "-c", script]}},
        },
        {
            "id": "check",
            "type": "action",
            "dependsOn": ["count"],
            "config": {
                "container": {
                    **container,
                    "command": ["python3", "-c", check],
                    "env": [{"name": "ROWS", "value": "${{ nodes.count.output.rows }}"}],
                }
            },
        },
    ]
    until(lambda: "count/workflows.headgate.dev" in used(tenant), every=0.2, what="workflows are counted")
    apply(tenant, "Workflow", {"nodes": nodes}, name="counting", namespace=TENANT)
    apply(tenant, "WorkflowRun", {"workflowRef": {"name": "counting"}}, name="counting-1", namespace=TENANT)

    wait = ("wait", "workflowrun/counting-1", f"--namespace={TENANT}", "--timeout=180s")
    tenant.kubectl(*wait, "--for=jsonpath={.status.phase}=Succeeded")


def test_the_leader_keeps_logs_in_the_chart_s_folder_and_shows_them(tenant: Kube, database: TestDatabase) -> None:
    kept = (
        "SELECT 1 FROM headgate.workflow_execution_steps s JOIN headgate.workspaces w ON w.id = s.workspace_id"
        " WHERE w.name = %s AND s.log_bytes IS NOT NULL"
    )
    until(lambda: len(database.rows(kept, TENANT)) == 2, every=0.2, what="the logs of both nodes are kept")
    tenant.kubectl("delete", "jobs", "--all", f"--namespace={TENANT}", "--wait")
    tenant.kubectl("wait", "--for=delete", "pods", "--all", f"--namespace={TENANT}", "--timeout=180s")

    # Each has a folder of its own here, and who led then may not lead any more.
    assert "three rows\n" in [shown(tenant, pod, f"{TENANT}/counting-1", "check") for pod in pods(tenant)]


def shown(kube: Kube, pod: str, run: str, node: str) -> str | None:
    """What a replica shows of a node's log; None where it has none."""
    try:
        return kube.kubectl(
            "exec", f"--namespace={NAMESPACE}", pod, "--", "headgate", "node-logs", run, f"--node={node}"
        )
    except CommandError:
        return None


def test_the_api_server_refuses_the_operator_nothing(tenant: Kube) -> None:
    refused = [name for pod in pods(tenant) for name in metrics(tenant, pod) if 'code="403"' in name]

    assert refused == []


def test_the_operator_binds_members_to_the_three_roles_and_to_no_other(tenant: Kube) -> None:
    for role in ("headgate-owner", "headgate-editor", "headgate-viewer"):
        bind(tenant, role)
    with pytest.raises(CommandError, match="attempting to grant RBAC permissions not currently held"):
        bind(tenant, "cluster-admin")


@pytest.mark.parametrize(
    ("verb", "resource"),
    [("get", "secrets"), ("create", "pods"), ("escalate", "clusterroles"), ("create", "webhooks")],
)
def test_the_operator_may_not_do_what_it_does_not_need(installed: Kube, verb: str, resource: str) -> None:
    assert not allowed(installed, SERVICE_ACCOUNT, verb, resource, "kube-system")


def test_the_operator_reads_where_the_api_server_is(installed: Kube) -> None:
    assert allowed(installed, SERVICE_ACCOUNT, "get", "services/kubernetes", "default")
    assert allowed(installed, SERVICE_ACCOUNT, "list", "endpointslices.discovery.k8s.io", "default")


def test_the_operator_reads_no_other_service(installed: Kube) -> None:
    assert not allowed(installed, SERVICE_ACCOUNT, "get", "services/kube-dns", "kube-system")
    assert not allowed(installed, SERVICE_ACCOUNT, "get", "services/other", "default")
    assert not allowed(installed, SERVICE_ACCOUNT, "list", "endpointslices.discovery.k8s.io", "kube-system")


def test_an_owner_runs_workflows_and_leaves_what_headgate_manages(tenant: Kube) -> None:
    assert allowed(tenant, "olga", "create", "workflows.headgate.dev", TENANT)
    assert allowed(tenant, "olga", "create", "secrets", TENANT)
    for managed in ("resourcequotas", "limitranges", "serviceaccounts"):
        assert not allowed(tenant, "olga", "update", managed, TENANT)


def test_the_operator_grants_nothing_that_it_may_not_do_itself(tenant: Kube) -> None:
    rule = ("--verb=get", "--resource=secrets", "--dry-run=server", f"--as={SERVICE_ACCOUNT}")
    with pytest.raises(CommandError, match="attempting to grant RBAC permissions not currently held"):
        tenant.kubectl("create", "clusterrole", "headgate:workspace:mine", *rule)


def test_a_viewer_reads_runs_and_writes_nothing(tenant: Kube) -> None:
    assert allowed(tenant, "viktor", "get", "workflowruns.headgate.dev", TENANT)
    assert not allowed(tenant, "viktor", "create", "workflowruns.headgate.dev", TENANT)
    assert not allowed(tenant, "viktor", "get", "secrets", TENANT)


def test_the_gateway_reads_logs_in_namespaces_of_workspaces_alone(tenant: Kube) -> None:
    gateway = f"{SERVICE_ACCOUNT}-gateway"
    assert allowed(tenant, gateway, "get", "pods", TENANT, "--subresource=log")
    assert allowed(tenant, gateway, "list", "pods", TENANT)
    assert not allowed(tenant, gateway, "get", "pods", TENANT)
    for namespace in ("kube-system", NAMESPACE):
        assert not allowed(tenant, gateway, "get", "pods", namespace, "--subresource=log")


def test_members_of_one_workspace_are_nobody_in_another(tenant: Kube) -> None:
    assert not allowed(tenant, "olga", "get", "workflows.headgate.dev", "default")


def test_another_replica_takes_over_from_a_leader_that_is_gone(installed: Kube) -> None:
    first = leader(installed)

    installed.kubectl("delete", "pod", first, f"--namespace={NAMESPACE}", "--grace-period=0", "--force")

    until(lambda: leaders(installed) not in ([], [first]), every=0.2, what="another replica leads")
