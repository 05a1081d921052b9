"""How the gateway is reached, and how many there are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts import WITH_DATABASE, ChartError, Rendered, render


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
