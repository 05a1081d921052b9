from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import ValidationError

from headgate.settings import GatewaySettings, OperatorSettings

DSN = "postgresql://headgate:hunter2@db.example.com/headgate"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("HEADGATE_"):
            monkeypatch.delenv(name)


def test_nothing_needs_to_be_set() -> None:
    chosen = OperatorSettings()

    assert (chosen.namespace, chosen.http_port, chosen.log_level) == ("headgate-system", 8080, "info")
    assert chosen.database_url is None
    assert chosen.kubeconfig is None
    assert chosen.pod_name


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("HEADGATE_NAMESPACE", "ops", "namespace", "ops"),
        ("HEADGATE_POD_NAME", "operator-0", "pod_name", "operator-0"),
        ("HEADGATE_HTTP_PORT", "9090", "http_port", 9090),
        ("HEADGATE_LOG_LEVEL", "debug", "log_level", "debug"),
        ("HEADGATE_LEASE_DURATION_SECONDS", "7.5", "lease_duration_seconds", 7.5),
        ("HEADGATE_JOB_TTL_SECONDS", "0", "job_ttl_seconds", 0),
        ("HEADGATE_OBJECT_STORE", "s3://bucket/logs", "object_store", "s3://bucket/logs"),
        ("HEADGATE_LOG_LIMIT_BYTES", "4096", "log_limit_bytes", 4096),
        ("headgate_namespace", "ops", "namespace", "ops"),
    ],
)
def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, field: str, value: Any
) -> None:
    monkeypatch.setenv(name, text)

    assert getattr(OperatorSettings(), field) == value


def test_variables_without_the_prefix_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESPACE", "theirs")
    monkeypatch.setenv("HEADGATE_OF_TOMORROW", "unknown")

    assert OperatorSettings().namespace == "headgate-system"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "KUBECONFIG", "HTTP_PORT", "DNS_ADDRESSES"):
        monkeypatch.setenv(f"HEADGATE_{name}", "")

    chosen = OperatorSettings()

    assert (chosen.database_url, chosen.kubeconfig, chosen.http_port, chosen.dns_addresses) == (None, None, 8080, "")


def test_the_database_s_password_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_DATABASE_URL", DSN)
    chosen = OperatorSettings()

    assert chosen.database_url is not None
    assert chosen.database_url.get_secret_value() == DSN
    for shown in (repr(chosen), str(chosen), str(chosen.model_dump()), chosen.model_dump_json()):
        assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HTTP_PORT", "70000"),
        ("HTTP_PORT", "http"),
        ("LOG_LEVEL", "chatty"),
        ("DATABASE_POOL_SIZE", "0"),
        ("LEASE_DURATION_SECONDS", "0.1"),
        ("RECONCILE_WORKERS", "0"),
        ("KUBERNETES_CONCURRENCY", "0"),
        ("JOB_TTL_SECONDS", "-1"),
        ("LOG_LIMIT_BYTES", "-1"),
        ("OBJECT_FOLDER_BYTES", "-1"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"HEADGATE_{name}", text)

    with pytest.raises(ValidationError, match=name.lower()):
        OperatorSettings()


def test_a_refusal_does_not_show_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_DATABASE_URL", DSN)
    monkeypatch.setenv("HEADGATE_HTTP_PORT", "http")

    with pytest.raises(ValidationError) as raised:
        OperatorSettings()

    assert "hunter2" not in str(raised.value)


def test_settings_do_not_change() -> None:
    chosen = OperatorSettings()

    with pytest.raises(ValidationError, match="frozen"):
        chosen.namespace = "other"  # type: ignore[misc]


def test_the_gateway_s_further_urls_do_not_show_either(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_REPLICA_URL"):
        monkeypatch.setenv(f"HEADGATE_{name}", DSN)

    chosen = GatewaySettings()

    assert chosen.database_replica_url is not None
    assert chosen.database_replica_url.get_secret_value() == DSN
    assert "hunter2" not in f"{chosen!r} {chosen} {chosen.model_dump_json()}"


@pytest.mark.parametrize("seconds", ["0.5", "61"])
def test_a_standby_may_lag_between_a_second_and_a_minute(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("HEADGATE_DATABASE_URL", DSN)
    monkeypatch.setenv("HEADGATE_DATABASE_REPLICA_MAX_LAG_SECONDS", seconds)

    with pytest.raises(ValidationError, match="database_replica_max_lag_seconds"):
        GatewaySettings()
