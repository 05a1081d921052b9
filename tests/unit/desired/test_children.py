from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from headgate.api.workspace import Workspace
from headgate.desired.context import ClusterFacts
from headgate.desired.inventory import Inventory
from headgate.desired.keys import CHILD_KINDS, child_kind, key_of
from headgate.desired.manifest import HASH_ANNOTATION, labels_of, owner_of
from headgate.desired.workspace import children
from headgate.domain.amounts import Amount
from tests.unit.desired.builders import FACTS, a_member, a_quota, a_workspace, children_of, workspaces


def test_a_plain_workspace_has_one_namespace_of_its_name_with_ten_children() -> None:
    assert list(children_of(a_workspace(members=[a_member()]))) == [
        "Namespace acme",
        "NetworkPolicy acme/headgate-default-deny",
        "NetworkPolicy acme/headgate-allow-dns",
        "ResourceQuota acme/headgate",
        "LimitRange acme/headgate",
        "ServiceAccount acme/default",
        "ServiceAccount acme/headgate-run",
        "RoleBinding acme/headgate-owner",
        "ClusterRole headgate:workspace:acme",
        "ClusterRoleBinding headgate:workspace:acme",
    ]


def test_the_gateway_reads_logs_where_the_cluster_is_told_so_and_in_every_namespace() -> None:
    facts = ClusterFacts("headgate-system", log_reader="headgate-gateway")
    made = children_of(a_workspace(namespaces=[{"name": "a"}, {"name": "b"}]), facts=facts)

    for namespace in ("a", "b"):
        binding = made[f"RoleBinding {namespace}/headgate-log-reader"]
        assert binding["roleRef"]["name"] == "headgate-log-reader"
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "headgate-gateway", "namespace": "headgate-system"}
        ]


def test_all_namespaces_come_before_what_is_in_them() -> None:
    made = children(a_workspace(namespaces=[{"name": "a"}, {"name": "b"}]), a_quota(), FACTS)

    assert [item["kind"] for item in made[:3]] == ["Namespace", "Namespace", "NetworkPolicy"]


@given(workspaces)
def test_every_child_is_labelled_as_the_workspaces(workspace: Workspace) -> None:
    assert {owner_of(item) for item in children(workspace, a_quota(), FACTS)} == {"acme"}


@given(workspaces)
def test_every_child_is_of_a_kind_that_is_watched(workspace: Workspace) -> None:
    for item in children(workspace, a_quota(), FACTS):
        kind = child_kind(key_of(item).group, item["kind"])
        assert kind in CHILD_KINDS
        assert kind is not None
        assert kind.namespaced == ("namespace" in item["metadata"])


@given(workspaces)
def test_no_two_children_have_the_same_key(workspace: Workspace) -> None:
    made = children(workspace, a_quota(), FACTS)

    assert len({key_of(item) for item in made}) == len(made)


@given(workspaces)
def test_children_are_json_without_null(workspace: Workspace) -> None:
    made = list(children(workspace, a_quota(), FACTS))

    assert json.loads(json.dumps(made)) == made
    assert "null" not in json.dumps(made)


def test_labels_of_the_workspace_are_not_copied() -> None:
    workspace = Workspace.model_validate(
        {
            "metadata": {"name": "acme", "labels": {"argocd.argoproj.io/instance": "tenants"}},
            "spec": {"quotaRef": {"name": "team"}},
        }
    )

    assert not any("argocd.argoproj.io/instance" in labels_of(item) for item in children(workspace, a_quota(), FACTS))


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_the_namespace_has_the_pod_security_level_in_all_modes(level: str) -> None:
    labels = labels_of(children_of(a_workspace(podSecurity=level))["Namespace acme"])

    for mode in ("enforce", "warn", "audit"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == level
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "latest"


def test_no_service_account_puts_its_token_into_pods() -> None:
    accounts = [item for item in children(a_workspace(), a_quota(), FACTS) if item["kind"] == "ServiceAccount"]

    assert {account["metadata"]["name"]: account["automountServiceAccountToken"] for account in accounts} == {
        "default": False,
        "headgate-run": False,
    }


def test_the_resource_quota_has_compute_and_the_number_of_workflows() -> None:
    quota = a_quota(compute={"requests.cpu": "0.5", "limits.memory": "1024Mi"}, limits={"maxWorkflows": 7})

    hard = children_of(a_workspace(), quota)["ResourceQuota acme/headgate"]["spec"]["hard"]

    assert hard["requests.cpu"] == "500m"
    assert hard["limits.memory"] == "1Gi"
    assert hard["count/workflows.headgate.dev"] == "7"


def test_what_opens_the_cluster_to_the_outside_has_to_be_asked_for() -> None:
    silent = children_of(a_workspace(), a_quota(compute={}))["ResourceQuota acme/headgate"]["spec"]["hard"]
    asked = children_of(a_workspace(), a_quota(compute={"services.loadbalancers": "2"}))

    assert silent["services.loadbalancers"] == silent["services.nodeports"] == "0"
    assert asked["ResourceQuota acme/headgate"]["spec"]["hard"]["services.loadbalancers"] == "2"


def test_the_plan_cannot_be_evaded_by_a_count_in_its_compute() -> None:
    quota = a_quota(compute={"count/workflows.headgate.dev": "1000"}, limits={"maxWorkflows": 7})

    hard = children_of(a_workspace(), quota)["ResourceQuota acme/headgate"]["spec"]["hard"]

    assert hard["count/workflows.headgate.dev"] == "7"


@given(workspaces)
def test_all_namespaces_together_get_what_the_plan_gives(workspace: Workspace) -> None:
    quota = a_quota()
    hards = [item["spec"]["hard"] for item in children(workspace, quota, FACTS) if item["kind"] == "ResourceQuota"]

    for resource, total in quota.spec.compute.items():
        assert sum((Amount.parse(hard[resource]) for hard in hards), Amount(0)) == Amount.parse(total)
    assert sum(int(hard["count/workflows.headgate.dev"]) for hard in hards) == quota.spec.limits.max_workflows


def test_the_limit_range_spells_out_what_the_api_server_would_derive() -> None:
    quota = a_quota(
        containerDefaults={
            "default": {"memory": "1024Mi"},
            "defaultRequest": {"cpu": "0.1"},
            "max": {"cpu": "2000m"},
            "min": {"ephemeral-storage": "1Mi"},
        }
    )

    assert children_of(a_workspace(), quota)["LimitRange acme/headgate"]["spec"]["limits"] == [
        {
            "type": "Container",
            "default": {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "1Gi"},
            "defaultRequest": {"ephemeral-storage": "1Gi", "cpu": "100m", "memory": "1Gi"},
            "max": {"cpu": "2"},
            "min": {"ephemeral-storage": "1Mi"},
        }
    ]


@pytest.mark.parametrize("defaults", [{}, {"default": {}, "defaultRequest": {}}, {"default": {"cpu": "1"}}])
def test_every_container_has_what_the_resource_quota_limits(defaults: dict[str, Any]) -> None:
    quota = a_quota(compute={}, containerDefaults=defaults)
    made = children_of(a_workspace(), quota)

    [item] = made["LimitRange acme/headgate"]["spec"]["limits"]
    hard = made["ResourceQuota acme/headgate"]["spec"]["hard"]
    for resource in ("cpu", "memory", "ephemeral-storage"):
        assert {f"requests.{resource}", f"limits.{resource}"} <= hard.keys()
        assert Amount.parse(item["defaultRequest"][resource]) <= Amount.parse(item["default"][resource])


@pytest.mark.parametrize(
    "counted",
    ["pods", "services", "secrets", "configmaps", "persistentvolumeclaims", "count/workflowruns.headgate.dev"],
)
def test_what_is_common_is_counted_though_the_plan_says_nothing(counted: str) -> None:
    hard = children_of(a_workspace(), a_quota(compute={}))["ResourceQuota acme/headgate"]["spec"]["hard"]

    assert Amount.parse(hard[counted]) > Amount(0)


@pytest.mark.parametrize(("said", "unsaid"), [("cpu", "requests.cpu"), ("count/secrets", "secrets")])
def test_a_limit_that_the_plan_gives_by_another_name_is_not_given_twice(said: str, unsaid: str) -> None:
    hard = children_of(a_workspace(), a_quota(compute={said: "3"}))["ResourceQuota acme/headgate"]["spec"]["hard"]

    assert hard[said] == "3"
    assert unsaid not in hard


def test_members_can_read_their_own_workspace_quota_and_namespaces_and_no_others() -> None:
    made = children_of(a_workspace(members=[a_member(), a_member("viewer", "Group", "crew")]))

    rules = made["ClusterRole headgate:workspace:acme"]["rules"]
    assert [(rule["resources"], rule["resourceNames"]) for rule in rules] == [
        (["workspaces"], ["acme"]),
        (["quotas"], ["team"]),
        (["namespaces"], ["acme"]),
    ]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    binding = made["ClusterRoleBinding headgate:workspace:acme"]
    assert [subject["name"] for subject in binding["subjects"]] == ["alice", "crew"]
    assert binding["metadata"]["ownerReferences"][0]["uid"] == "acme-uid"


def test_a_namespace_that_is_only_kept_has_nothing_left_to_use() -> None:
    stock = Inventory(wanted=("acme",), kept=("acme-old",))

    made = {str(key_of(item)): item for item in children(a_workspace(), a_quota(), FACTS, inventory=stock)}

    assert set(made["ResourceQuota acme-old/headgate"]["spec"]["hard"].values()) == {"0"}
    assert made["ResourceQuota acme/headgate"]["spec"]["hard"]["requests.cpu"] == "20"


def test_the_namespace_tells_admission_what_may_be_made_in_it() -> None:
    workspace = a_workspace(
        namespaces=[{"name": "acme"}, {"name": "acme-dev"}],
        images={"allowedRegistries": ["ghcr.io/acme", "docker.io"], "pullPolicy": "Always"},
        scheduling={
            "nodeSelector": {"pool": "tenants", "arch": "arm"},
            "tolerations": [
                {"key": "spot", "value": "yes", "effect": "NoSchedule"},
                {"key": "gpu", "operator": "Exists", "effect": "NoExecute"},
            ],
            "priorityClasses": ["low", "high"],
            "runtimeClass": "gvisor",
        },
        storage={"allowedClasses": ["ssd"]},
        exposure={"allowedClasses": ["public", "private"]},
        residency={"regions": ["eu-1", "eu-2"]},
    )

    annotations = dict(children_of(workspace)["Namespace acme"]["metadata"]["annotations"])
    del annotations[HASH_ANNOTATION]

    assert annotations == {
        "headgate.dev/workspace-namespaces": "acme,acme-dev",
        "headgate.dev/allowed-registries": "ghcr.io/acme,docker.io",
        "headgate.dev/image-pull-policy": "Always",
        "headgate.dev/node-selector": "arch=arm,pool=tenants",
        "headgate.dev/tolerations": "spot=yes:NoSchedule,gpu:NoExecute",
        "headgate.dev/priority-classes": "low,high",
        "headgate.dev/runtime-class": "gvisor",
        "headgate.dev/storage-classes": "ssd",
        "headgate.dev/ingress-classes": "public,private",
        "headgate.dev/regions": "eu-1,eu-2",
    }


def test_members_are_bound_to_the_role_of_the_installation() -> None:
    members = [
        a_member("editor", "User", "alice"),
        a_member("editor", "Group", "crew"),
        a_member("editor", "ServiceAccount", "deployer", namespace="ci"),
    ]

    binding = children_of(a_workspace(members=members))["RoleBinding acme/headgate-editor"]

    group = "rbac.authorization.k8s.io"
    assert binding["roleRef"] == {"apiGroup": group, "kind": "ClusterRole", "name": "headgate-editor"}
    assert binding["subjects"] == [
        {"apiGroup": group, "kind": "User", "name": "alice"},
        {"apiGroup": group, "kind": "Group", "name": "crew"},
        {"kind": "ServiceAccount", "name": "deployer", "namespace": "ci"},
    ]


def test_nobody_is_in_a_role_twice() -> None:
    binding = children_of(a_workspace(members=[a_member(), a_member()]))["RoleBinding acme/headgate-owner"]

    assert len(binding["subjects"]) == 1


def test_roles_that_nobody_has_are_not_bound() -> None:
    assert not any(key.startswith("RoleBinding") for key in children_of(a_workspace()))


def test_facts_with_a_dns_address_that_is_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dns\.example"):
        ClusterFacts(operator_namespace="headgate-system", dns_addresses=("dns.example",))
