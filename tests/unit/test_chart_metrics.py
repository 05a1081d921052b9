"""Metrics that are read, and alerts that can be acted on."""

from __future__ import annotations

import re

from tests.charts import CHART, WITH_DATABASE, render


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
