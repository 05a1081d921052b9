from __future__ import annotations

import json
import re
from typing import Any

import pytest

from headgate.domain.prices import parse_prices
from tests.charts import CHART, ChartError, Rendered, render
from tests.support.documents import document

WITH_DATABASE = {"database": {"existingSecret": "headgate-database"}}


@pytest.fixture(scope="module")
def chart() -> Rendered:
    """The chart with nothing but its defaults."""
    return render()


@pytest.fixture(scope="module")
def database_chart() -> Rendered:
    """The chart with a database, and so with a gateway."""
    return render(WITH_DATABASE)


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
    assert environment(database_chart)["HEADGATE_GATEWAY_ACCOUNT"] == "headgate-gateway"
    # The API server lets the operator bind what it may do itself.
    assert database_chart.verbs("headgate-operator", "pods") >= {"list"}


def test_that_can_be_left_out() -> None:
    chart = render(WITH_DATABASE | {"logs": {"follow": False}})

    assert "headgate-log-reader" not in {role["metadata"]["name"] for role in chart.all("ClusterRole")}
    assert "HEADGATE_GATEWAY_ACCOUNT" not in environment(chart)
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


def test_a_pooler_and_a_standby_come_from_the_same_secret() -> None:
    def variables(pod: str, database: dict[str, Any]) -> dict[str, Any]:
        pods = render({"database": {**WITH_DATABASE["database"], **database}}).pods()
        given = pods[pod]["spec"]["containers"][0]["env"]
        return {
            item["name"].removeprefix("HEADGATE_DATABASE_"): item.get("value")
            or item["valueFrom"]["secretKeyRef"]["key"]
            for item in given
            if item["name"].startswith("HEADGATE_DATABASE_")
        }

    both = {"pooler": {"enabled": True}, "replica": {"enabled": True, "maxLagSeconds": 5}, "poolSize": 20}
    pooled = {"URL": "url", "POOL_SIZE": "20", "PREPARED_STATEMENTS": "false"}
    assert variables("headgate-operator", {}) == {"URL": "url", "POOL_SIZE": "10"}
    assert variables("headgate-gateway", {}) == {"URL": "url", "POOL_SIZE": "10"}
    assert variables("headgate-operator", both) == pooled
    assert variables("headgate-gateway", both) == {
        **pooled,
        "DIRECT_URL": "directUrl",
        "REPLICA_URL": "replicaUrl",
        "REPLICA_MAX_LAG_SECONDS": "5",
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
        {"gateway": {"ingress": {"enabled": True}}},
        {"gateway": {"ingress": {"host": "Headgate.Example"}}},
        {"gateway": {"httpRoute": {"enabled": True}}},
        {"gateway": {"paths": ["/runner"]}},
        {"gateway": {"paths": ["/"]}},
        {"gateway": {"autoscaling": {"maxReplicas": 0}}},
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ChartError, match="schema"):
        render(values)


def test_the_schema_describes_every_value_there_is() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = document((CHART / "values.yaml").read_text())

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
        "database": {**WITH_DATABASE["database"], "replica": {"enabled": True}},
        "archive": {"url": "s3://old/runs"},
    }
    rule = render({**WITH_DATABASE, **enabled}).one("PrometheusRule", "headgate-operator")
    source = "".join(path.read_text() for path in (CHART.parents[1] / "operator" / "headgate").rglob("*.py"))

    expressions = " ".join(alert["expr"] for alert in rule["spec"]["groups"][0]["rules"])
    metrics = set(re.findall(r"\bheadgate_\w+", expressions))

    assert rule["metadata"]["labels"]["team"] == "platform"
    assert metrics
    assert {metric for metric in metrics if f'"{metric}"' not in source} == set()


def test_the_gateway_is_reached_by_an_ingress_that_lets_no_runner_s_path_in(database_chart: Rendered) -> None:
    assert database_chart.all("Ingress") == []
    ingress = {"enabled": True, "className": "public", "host": "headgate.example", "tlsSecret": "headgate-tls"}
    made = render(WITH_DATABASE | {"gateway": {"ingress": {**ingress, "annotations": {"a": "b"}}}})

    found = made.one("Ingress", "headgate-gateway")
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["spec"]["ingressClassName"] == "public"
    assert found["spec"]["tls"] == [{"hosts": ["headgate.example"], "secretName": "headgate-tls"}]
    [rule] = found["spec"]["rules"]
    assert (rule["host"], [path["path"] for path in rule["http"]["paths"]]) == ("headgate.example", ["/api", "/hooks"])
    assert {path["backend"]["service"]["port"]["name"] for path in rule["http"]["paths"]} == {"api"}


def test_the_gateway_is_reached_by_a_route_whose_answers_may_last(database_chart: Rendered) -> None:
    assert database_chart.all("HTTPRoute") == []
    route = {"enabled": True, "parentRefs": [{"name": "public", "namespace": "edge"}], "hostnames": ["a.example"]}
    spec = render(WITH_DATABASE | {"gateway": {"httpRoute": route}}).one("HTTPRoute", "headgate-gateway")["spec"]

    assert (spec["parentRefs"], spec["hostnames"]) == (route["parentRefs"], ["a.example"])
    [rule] = spec["rules"]
    assert [match["path"]["value"] for match in rule["matches"]] == ["/api", "/hooks"]
    assert rule["backendRefs"] == [{"name": "headgate-gateway", "port": 8000}]
    assert rule["timeouts"] == {"request": "0s"}


@pytest.mark.parametrize("way", ["ingress", "httpRoute"])
def test_connections_outlast_those_of_what_stands_before_the_gateway(database_chart: Rendered, way: str) -> None:
    given = (
        {"enabled": True, "host": "a.example"} if way == "ingress" else {"enabled": True, "parentRefs": [{"name": "a"}]}
    )
    made = render(WITH_DATABASE | {"gateway": {way: given}})

    def kept(chart: Rendered) -> list[str]:
        variables = chart.pods()["headgate-gateway"]["spec"]["containers"][0]["env"]
        return [item["value"] for item in variables if item["name"] == "HEADGATE_KEEP_ALIVE_SECONDS"]

    assert (kept(made), kept(database_chart)) == (["75"], [])


def test_without_a_gateway_nothing_leads_to_it(chart: Rendered) -> None:
    gateway = {
        "ingress": {"enabled": True, "host": "a.example"},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]},
        "autoscaling": {"enabled": True},
    }
    made = render({"gateway": gateway, "metrics": {"serviceMonitor": {"enabled": True}}})

    assert [found["kind"] for found in made.objects if found["metadata"]["name"] == "headgate-gateway"] == []


def test_the_cluster_chooses_how_many_gateways_there_are(database_chart: Rendered) -> None:
    assert database_chart.one("Deployment", "headgate-gateway")["spec"]["replicas"] == 2
    scaled = render(WITH_DATABASE | {"gateway": {"replicas": 1, "autoscaling": {"enabled": True, "maxReplicas": 7}}})

    assert "replicas" not in scaled.one("Deployment", "headgate-gateway")["spec"]
    spec = scaled.one("HorizontalPodAutoscaler", "headgate-gateway")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 7)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "headgate-gateway"}
    assert scaled.one("PodDisruptionBudget", "headgate-gateway")
    for refused, why in (
        ({"autoscaling": {"enabled": True, "minReplicas": 11}}, "minReplicas is more"),
        ({"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}, "requests.cpu"),
    ):
        with pytest.raises(ChartError, match=why):
            render(WITH_DATABASE | {"gateway": refused})


def test_what_stands_before_the_gateway_is_let_in_by_name() -> None:
    before = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}]

    def opened(**policy: Any) -> list[Any]:
        chart = render(WITH_DATABASE | {"networkPolicy": {"enabled": True, **policy}})
        rules = chart.one("NetworkPolicy", "headgate-gateway")["spec"]["ingress"]
        return [rule["from"] for rule in rules if {"port": "api", "protocol": "TCP"} in rule["ports"]]

    runners = [{"namespaceSelector": {"matchExpressions": [{"key": "headgate.dev/workspace", "operator": "Exists"}]}}]
    assert opened() == [runners]
    assert opened(gatewayFrom=before) == [runners, before]


def test_metrics_of_operator_and_gateway_are_read() -> None:
    chart = render(WITH_DATABASE | {"metrics": {"serviceMonitor": {"enabled": True}}})

    selected = [
        found["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] for found in chart.all("ServiceMonitor")
    ]
    assert selected == ["operator", "gateway"]


def test_every_alert_says_in_the_handbook_what_to_do() -> None:
    enabled = {"metrics": {"prometheusRule": {"enabled": True}}}
    settings = {
        "audit": {"existingSecret": "headgate-audit"},
        "redis": {"existingSecret": "headgate-redis"},
        "archive": {"url": "s3://old/runs"},
        "database": {**WITH_DATABASE["database"], "replica": {"enabled": True}},
    }
    [group] = render({**enabled, **settings}).one("PrometheusRule", "headgate-operator")["spec"]["groups"]

    alerts = {rule["alert"] for rule in group["rules"]}
    told = re.findall(
        r"^\| `(Headgate\w+)` \|", (CHART.parents[1] / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    assert set(told) == alerts


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
