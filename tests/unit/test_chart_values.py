"""Which values there are, what they mean together, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.domain.prices import parse_prices
from tests.charts import CHART, WITH_DATABASE, ChartError, Rendered, render
from tests.support.documents import document


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


def test_a_price_that_is_no_amount_is_refused() -> None:
    with pytest.raises(ChartError, match="CPU"):
        render({"prices": {"CPU": "cheap", "RAM": "1"}})
