"""What the chart is told of Postgres, Redis, keys, logs and the archive, and who gets to know it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts import WITH_DATABASE, ChartError, Rendered, render


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


def test_logs_are_kept_in_a_folder_that_never_outgrows_its_volume(chart: Rendered) -> None:
    assert volume(chart) == {"name": "objects", "emptyDir": {"sizeLimit": "640M"}}
    assert chart.environment()["HEADGATE_OBJECT_STORE"] == "file:///var/lib/headgate/objects"
    assert chart.environment()["HEADGATE_OBJECT_FOLDER_BYTES"] == "512000000"
    assert chart.environment()["HEADGATE_LOG_LIMIT_BYTES"] == "1048576"
    with pytest.raises(ChartError, match="emptyDir needs a limit"):
        render({"objectStore": {"folderMegabytes": 0}})


def test_a_claim_may_hold_the_folder() -> None:
    chart = render({"objectStore": {"existingClaim": "logs", "folderMegabytes": 0}})

    assert volume(chart) == {"name": "objects", "persistentVolumeClaim": {"claimName": "logs"}}
    assert chart.pods()["headgate-operator"]["spec"]["securityContext"]["fsGroup"] == 65532
    assert chart.environment()["HEADGATE_OBJECT_FOLDER_BYTES"] == "0"


def test_a_bucket_needs_no_volume_and_its_credentials_come_from_a_secret() -> None:
    chart = render({"objectStore": {"url": "s3://bucket/prefix", "existingSecret": "bucket"}})

    assert volume(chart) is None
    container = chart.pods()["headgate-operator"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "bucket"}}]
    assert chart.environment()["HEADGATE_OBJECT_STORE"] == "s3://bucket/prefix"


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


def test_certificates_of_one_s_own_authorities_are_files_wherever_something_is_called() -> None:
    pods = render(WITH_DATABASE | {"certificates": {"existingConfigMap": "authorities"}}).pods()

    mount = {"name": "certificates", "mountPath": "/etc/headgate/certificates", "readOnly": True}
    for name in ("headgate-operator", "headgate-gateway", "headgate-migrate"):
        spec = pods[name]["spec"]
        assert {"name": "certificates", "configMap": {"name": "authorities"}} in spec["volumes"]
        assert mount in spec["containers"][0]["volumeMounts"]


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
    assert [mount.get("readOnly") for mount in container["volumeMounts"]] == [None, True, None][: 1 + 2 * mounted]
    assert container.get("envFrom", []) == [{"secretRef": {"name": "cloud"}}] * ("existingSecret" in store)


def test_of_a_claim_the_gateway_writes_the_folder_of_objects_alone() -> None:
    store = {"existingClaim": "logs", "url": "file:///var/lib/headgate/kept/objects/"}
    pod = render(WITH_DATABASE | {"objectStore": store}).pods()["headgate-gateway"]

    [container] = pod["spec"]["containers"]
    assert container["volumeMounts"][1:] == [
        {"name": "objects", "mountPath": "/var/lib/headgate", "readOnly": True},
        {"name": "objects", "mountPath": "/var/lib/headgate/kept/objects", "subPath": "kept/objects"},
    ]


def test_a_claim_that_is_all_objects_is_written_as_a_whole() -> None:
    store = {"existingClaim": "logs", "url": "file:///var/lib/headgate"}
    pod = render(WITH_DATABASE | {"objectStore": store}).pods()["headgate-gateway"]

    [container] = pod["spec"]["containers"]
    assert container["volumeMounts"][1:] == [{"name": "objects", "mountPath": "/var/lib/headgate"}]


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
