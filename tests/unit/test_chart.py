"""What the chart promises of pods, and of what its roles may."""

from __future__ import annotations

import pytest

from tests.charts import WITH_DATABASE, Rendered, render


@pytest.mark.parametrize("pod", ["headgate-operator", "headgate-migrate", "headgate-release"])
def test_every_pod_meets_the_restricted_level(pod: str) -> None:
    spec = render(WITH_DATABASE).pods()[pod]["spec"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_no_role_of_ours_holds_more_than_it_names(chart: Rendered) -> None:
    for role in chart.all("ClusterRole") + chart.all("Role"):
        for rule in role.get("rules", ()):
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
            assert not {"escalate", "impersonate"} & set(rule["verbs"])
            assert "nodes/proxy" not in rule["resources"]


def test_the_operator_reads_no_secret(chart: Rendered) -> None:
    assert chart.verbs("headgate-operator", "secrets") == set()


def test_the_operator_reads_logs_and_changes_no_pod(chart: Rendered) -> None:
    assert chart.verbs("headgate-operator", "pods/log") == {"get"}
    assert chart.verbs("headgate-operator", "pods") == {"get", "list", "watch"}


def test_the_operator_deletes_several_at_once_of_jobs_and_of_nothing_else(chart: Rendered) -> None:
    several = [rule for rule in chart.rules("headgate-operator") if "deletecollection" in rule["verbs"]]

    assert [(rule["apiGroups"], rule["resources"]) for rule in several] == [(["batch"], ["jobs"])]


def test_the_operator_reads_what_pods_are_measured_to_use(chart: Rendered) -> None:
    measuring = [rule for rule in chart.rules("headgate-operator") if "metrics.k8s.io" in rule["apiGroups"]]

    assert measuring == [{"apiGroups": ["metrics.k8s.io"], "resources": ["pods"], "verbs": ["get", "list"]}]


def test_the_operator_binds_members_roles_by_name_only(chart: Rendered) -> None:
    binding = [rule for rule in chart.rules("headgate-operator") if "bind" in rule["verbs"]]

    assert [rule["resourceNames"] for rule in binding] == [["headgate-owner", "headgate-editor", "headgate-viewer"]]


def test_the_gateway_reads_logs_where_the_operator_lets_it_and_nothing_else(database_chart: Rendered) -> None:
    assert database_chart.rules("headgate-log-reader") == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    bound = {
        binding["roleRef"]["name"]
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for binding in database_chart.all(kind)
    }
    assert "headgate-log-reader" not in bound
    assert database_chart.verbs("headgate-gateway", "pods") == set()
    assert database_chart.environment()["HEADGATE_GATEWAY_ACCOUNT"] == "headgate-gateway"
    # The API server lets the operator bind what it may do itself.
    assert database_chart.verbs("headgate-operator", "pods") >= {"list"}


def test_that_can_be_left_out() -> None:
    chart = render(WITH_DATABASE | {"logs": {"follow": False}})

    assert "headgate-log-reader" not in {role["metadata"]["name"] for role in chart.all("ClusterRole")}
    assert "HEADGATE_GATEWAY_ACCOUNT" not in chart.environment()
    gateway = chart.pods()["headgate-gateway"]["spec"]["containers"][0]
    assert {"name": "HEADGATE_FOLLOW_LOGS", "value": "false"} in gateway["env"]


def test_leader_election_reaches_one_lease_of_the_own_namespace(chart: Rendered) -> None:
    role = chart.one("Role", "headgate-operator")

    assert role["metadata"]["namespace"] == "headgate-system"
    named = [rule.get("resourceNames") for rule in role["rules"] if rule["verbs"] != ["create"]]
    assert named == [["headgate-operator"]]


def test_renewing_the_lease_queues_behind_nothing_else(chart: Rendered) -> None:
    spec = chart.one("FlowSchema", "headgate-leader-election")["spec"]

    assert spec["priorityLevelConfiguration"] == {"name": "leader-election"}
    [rule] = spec["rules"]
    account = {"name": "headgate", "namespace": "headgate-system"}
    assert rule["subjects"] == [{"kind": "ServiceAccount", "serviceAccount": account}]
    [resources] = rule["resourceRules"]
    assert (resources["resources"], resources["namespaces"]) == (["leases"], ["headgate-system"])


def test_in_namespace_default_the_operator_reads_where_the_api_server_is_and_nothing_else(chart: Rendered) -> None:
    role = chart.one("Role", "headgate-operator-endpoints")
    binding = chart.one("RoleBinding", "headgate-operator-endpoints")

    assert {role["metadata"]["namespace"], binding["metadata"]["namespace"]} == {"default"}
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["services"], "resourceNames": ["kubernetes"], "verbs": ["get"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    ]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "headgate", "namespace": "headgate-system"}]


@pytest.mark.parametrize("role", ["headgate-owner", "headgate-editor", "headgate-viewer"])
@pytest.mark.parametrize("managed", ["resourcequotas", "limitranges", "serviceaccounts", "namespaces"])
def test_no_member_writes_limits_and_accounts(chart: Rendered, role: str, managed: str) -> None:
    assert chart.verbs(role, managed) <= {"get", "list", "watch"}


@pytest.mark.parametrize("role", ["headgate-editor", "headgate-viewer"])
@pytest.mark.parametrize("kind", ["networkpolicies", "ingresses", "roles", "rolebindings"])
def test_only_owners_write_what_policies_keep_within_the_workspace(chart: Rendered, role: str, kind: str) -> None:
    assert chart.verbs(role, kind) <= {"get", "list", "watch"}
    assert {"create", "patch", "delete"} <= chart.verbs("headgate-owner", kind)


def test_kubernetes_own_roles_cover_headgate_s_kinds(chart: Rendered) -> None:
    assert (
        chart.one("ClusterRole", "headgate-part-kinds-view")["metadata"]["labels"][
            "rbac.authorization.k8s.io/aggregate-to-view"
        ]
        == "true"
    )
    assert (
        chart.one("ClusterRole", "headgate-part-kinds-edit")["metadata"]["labels"][
            "rbac.authorization.k8s.io/aggregate-to-edit"
        ]
        == "true"
    )


@pytest.mark.parametrize("role", ["headgate-editor", "headgate-viewer"])
def test_only_owners_read_secrets(chart: Rendered, role: str) -> None:
    assert chart.verbs(role, "secrets") == set()
    assert "get" in chart.verbs("headgate-owner", "secrets")


def test_viewers_only_read(chart: Rendered) -> None:
    assert {verb for rule in chart.rules("headgate-viewer") for verb in rule["verbs"]} == {"get", "list", "watch"}
