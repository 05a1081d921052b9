from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from headgate.domain.prices import parse_prices
from tests.charts import CHART, ChartError, Rendered, render

WITH_DATABASE = {"database": {"existingSecret": "headgate-database"}}


@pytest.fixture(scope="module")
def chart() -> Rendered:
    """The chart with nothing but its defaults."""
    return render()


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


def test_the_operator_binds_members_roles_by_name_only(chart: Rendered) -> None:
    binding = [rule for rule in chart.rules("headgate-operator") if "bind" in rule["verbs"]]

    assert [rule["resourceNames"] for rule in binding] == [["headgate-owner", "headgate-editor", "headgate-viewer"]]


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


def test_without_a_database_nothing_migrates_and_the_operator_gets_no_url(chart: Rendered) -> None:
    assert "headgate-migrate" not in chart.pods()
    environment = chart.pods()["headgate-operator"]["spec"]["containers"][0]["env"]
    assert "HEADGATE_DATABASE_URL" not in {variable["name"] for variable in environment}


def volume(chart: Rendered) -> dict[str, Any] | None:
    """What is mounted for the folder."""
    spec = chart.pods()["headgate-operator"]["spec"]
    mounted = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert set(mounted) == {each["name"] for each in spec["volumes"]}
    found: list[dict[str, Any]] = [each for each in spec["volumes"] if mounted[each["name"]] == "/var/lib/headgate"]
    return found[0] if found else None


def environment(chart: Rendered) -> dict[str, str]:
    """The operator's plain environment variables."""
    return {
        each["name"]: each.get("value", "")
        for each in chart.pods()["headgate-operator"]["spec"]["containers"][0]["env"]
    }


def test_logs_are_kept_in_a_folder_that_never_outgrows_its_volume(chart: Rendered) -> None:
    assert volume(chart) == {"name": "objects", "emptyDir": {"sizeLimit": "640M"}}
    assert environment(chart)["HEADGATE_OBJECT_STORE"] == "file:///var/lib/headgate/objects"
    assert environment(chart)["HEADGATE_OBJECT_FOLDER_BYTES"] == "512000000"
    assert environment(chart)["HEADGATE_LOG_LIMIT_BYTES"] == "1048576"
    with pytest.raises(ChartError, match="emptyDir needs a limit"):
        render({"objectStore": {"folderMegabytes": 0}})


def test_a_claim_may_hold_the_folder() -> None:
    chart = render({"objectStore": {"existingClaim": "logs", "folderMegabytes": 0}})

    assert volume(chart) == {"name": "objects", "persistentVolumeClaim": {"claimName": "logs"}}
    assert chart.pods()["headgate-operator"]["spec"]["securityContext"]["fsGroup"] == 65532
    assert environment(chart)["HEADGATE_OBJECT_FOLDER_BYTES"] == "0"


def test_a_bucket_needs_no_volume_and_its_credentials_come_from_a_secret() -> None:
    chart = render({"objectStore": {"url": "s3://bucket/prefix", "existingSecret": "bucket"}})

    assert volume(chart) is None
    container = chart.pods()["headgate-operator"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "bucket"}}]
    assert environment(chart)["HEADGATE_OBJECT_STORE"] == "s3://bucket/prefix"


def test_migrations_come_before_the_operator() -> None:
    job = render(WITH_DATABASE).one("Job", "headgate-migrate")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_urls_come_from_the_secret_and_the_owner_s_login_stays_with_the_migrations() -> None:
    chart = render(WITH_DATABASE)

    def keys(pod: str) -> dict[str, str]:
        variables = chart.pods()[pod]["spec"]["containers"][0]["env"]
        sources = {variable["name"]: variable.get("valueFrom", {}).get("secretKeyRef") for variable in variables}
        assert {source["name"] for source in sources.values() if source} == {"headgate-database"}
        return {name: source["key"] for name, source in sources.items() if source}

    assert keys("headgate-operator") == {"HEADGATE_DATABASE_URL": "url"}
    assert keys("headgate-migrate") == {
        "HEADGATE_DATABASE_URL": "url",
        "HEADGATE_DATABASE_MIGRATION_URL": "migrationUrl",
    }


def test_key_encryption_keys_are_the_gateway_s_alone() -> None:
    pods = render(WITH_DATABASE | {"credentials": {"existingSecret": "headgate-keys"}}).pods()

    given = {
        name: [item for container in pod["spec"]["containers"] for item in container.get("env", [])]
        for name, pod in pods.items()
    }
    keys = {
        "name": "HEADGATE_KEY_ENCRYPTION_KEYS",
        "valueFrom": {"secretKeyRef": {"name": "headgate-keys", "key": "keys"}},
    }
    assert [name for name, items in given.items() if keys in items] == ["headgate-gateway"]


def test_keys_that_sign_audit_logs_are_the_operator_s_alone() -> None:
    pods = render(WITH_DATABASE | {"audit": {"existingSecret": "headgate-audit"}}).pods()

    keys = {
        "name": "HEADGATE_AUDIT_SIGNING_KEYS",
        "valueFrom": {"secretKeyRef": {"name": "headgate-audit", "key": "signing-keys"}},
    }
    given = [name for name, pod in pods.items() if keys in pod["spec"]["containers"][0].get("env", [])]
    assert given == ["headgate-operator"]


def test_redis_is_the_gateway_s_and_the_operator_s_and_not_there_by_default() -> None:
    url = {"name": "HEADGATE_REDIS_URL", "valueFrom": {"secretKeyRef": {"name": "headgate-redis", "key": "url"}}}

    def given(values: dict[str, Any]) -> list[str]:
        pods = render(WITH_DATABASE | values).pods()
        return [
            name
            for name, pod in sorted(pods.items())
            if any(url in container.get("env", []) for container in pod["spec"]["containers"])
        ]

    assert given({"redis": {"existingSecret": "headgate-redis"}}) == ["headgate-gateway", "headgate-operator"]
    assert given({}) == []


@pytest.mark.parametrize(
    ("store", "url", "mounted"),
    [
        ({}, None, False),
        ({"existingClaim": "logs"}, "file:///var/lib/headgate/objects", True),
        ({"url": "s3://logs", "existingSecret": "cloud"}, "s3://logs", False),
    ],
)
def test_the_gateway_reads_logs_from_where_it_can_reach_them(
    store: dict[str, str], url: str | None, mounted: bool
) -> None:
    pod = render(WITH_DATABASE | {"objectStore": store}).pods()["headgate-gateway"]

    [container] = pod["spec"]["containers"]
    assert [item["value"] for item in container["env"] if item["name"] == "HEADGATE_OBJECT_STORE"] == [url] * bool(url)
    assert [mount.get("readOnly") for mount in container["volumeMounts"]] == [None, True][: 1 + mounted]
    assert container.get("envFrom", []) == [{"secretRef": {"name": "cloud"}}] * ("existingSecret" in store)


def test_custom_resource_definitions_outlive_the_release(chart: Rendered) -> None:
    definitions = chart.all("CustomResourceDefinition")

    assert {found["metadata"]["name"].split(".")[0] for found in definitions} == {
        path.stem for path in (CHART.parent.parent / "crds").glob("*.yaml")
    }
    assert {found["metadata"]["annotations"]["helm.sh/resource-policy"] for found in definitions} == {"keep"}


def test_custom_resource_definitions_can_be_left_to_others() -> None:
    assert render({"crds": {"install": False}}).all("CustomResourceDefinition") == []


def test_a_single_replica_can_be_evicted(chart: Rendered) -> None:
    assert render({"operator": {"replicas": 1}}).all("PodDisruptionBudget") == []
    assert len(chart.all("PodDisruptionBudget")) == 1


def test_a_digest_outweighs_the_tag() -> None:
    digest = "sha256:" + "0" * 64

    pods = render({"image": {"repository": "registry.example/headgate", "tag": "1", "digest": digest}}).pods()

    image = pods["headgate-operator"]["spec"]["containers"][0]["image"]
    assert image == f"registry.example/headgate@{digest}"


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"operator": {"replica": 3}},
        {"operator": {"replicas": "three"}},
        {"operator": {"logLevel": "loud"}},
        {"operator": {"dnsAddresses": ["dns.example"]}},
        {"operator": {"resources": {"request": {}}}},
        {"image": {"digest": "sha256:short"}},
        {"database": {"existingSecret": "No_Name"}},
        {"objectStore": {"url": "s3://bucket?key=x"}},
        {"objectStore": {"url": "file:///etc"}},
        {"logs": {"limitBytes": -1}},
        {"metrics": {"serviceMonitor": {"interval": "often"}}},
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ChartError, match="schema"):
        render(values)


def test_the_schema_describes_every_value_there_is() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())

    def check(value: Any, described: dict[str, Any], path: str) -> None:
        assert described.get("additionalProperties", True) is False, f"{path} lets unknown values pass"
        assert set(value) <= set(described["properties"]), path
        for name, below in described["properties"].items():
            assert below.get("description"), f"{path}.{name} has no description"
            if isinstance(value.get(name), dict) and "properties" in below:
                check(value[name], below, f"{path}.{name}")

    check(defaults, schema, "values")


def test_alerts_speak_of_metrics_that_the_operator_has() -> None:
    enabled = {
        "metrics": {"prometheusRule": {"enabled": True, "labels": {"team": "platform"}}},
        "audit": {"existingSecret": "headgate-audit"},
        "archive": {"url": "s3://old/runs"},
    }
    rule = render({**WITH_DATABASE, **enabled}).one("PrometheusRule", "headgate-operator")
    source = "".join(path.read_text() for path in (CHART.parents[1] / "operator" / "headgate").rglob("*.py"))

    expressions = " ".join(alert["expr"] for alert in rule["spec"]["groups"][0]["rules"])
    metrics = set(re.findall(r"\bheadgate_\w+", expressions))

    assert rule["metadata"]["labels"]["team"] == "platform"
    assert metrics
    assert {metric for metric in metrics if f'"{metric}"' not in source} == set()


def test_operator_and_gateway_read_the_same_prices_and_start_anew_for_others() -> None:
    def rendered(cpu: str) -> Rendered:
        return render({**WITH_DATABASE, "prices": {"CPU": cpu, "RAM": "0.004237"}})

    chart, dearer = rendered("0.031611"), rendered("0.04")
    table = parse_prices(chart.one("ConfigMap", "headgate-prices")["data"]["prices.json"])
    assert str(table.prices["CPU"]) == "0.031611"
    for name in ("headgate-operator", "headgate-gateway"):
        pod = chart.pods()[name]
        [container] = pod["spec"]["containers"]
        assert {"name": "HEADGATE_PRICES_FILE", "value": "/etc/headgate/prices/prices.json"} in container["env"]
        assert {"name": "prices", "configMap": {"name": "headgate-prices"}} in pod["spec"]["volumes"]
        assert "prices" in [mount["name"] for mount in container["volumeMounts"]]
        assert pod["metadata"]["annotations"] != dearer.pods()[name]["metadata"]["annotations"]


def test_operator_and_gateway_are_told_where_the_archive_is_and_may_get_at_it() -> None:
    values = {**WITH_DATABASE, "archive": {"url": "s3://old/runs"}, "objectStore": {"existingSecret": "cloud"}}
    pods = render(values).pods()
    for name in ("headgate-operator", "headgate-gateway"):
        [container] = pods[name]["spec"]["containers"]
        assert {"name": "HEADGATE_ARCHIVE_STORE", "value": "s3://old/runs"} in container["env"]
        assert container["envFrom"] == [{"secretRef": {"name": "cloud"}}]


def test_a_folder_that_goes_with_its_pod_is_no_archive() -> None:
    folder = {**WITH_DATABASE, "archive": {"url": "file:///var/lib/headgate/archive"}}
    with pytest.raises(ChartError, match=r"archive\.url"):
        render(folder)
    render({**folder, "objectStore": {"existingClaim": "objects"}})


def test_a_price_that_is_no_amount_is_refused() -> None:
    with pytest.raises(ChartError, match="CPU"):
        render({"prices": {"CPU": "cheap", "RAM": "1"}})
