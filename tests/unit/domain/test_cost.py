"""What an hour of an attempt costs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from headgate.domain.cost import footprint_of, of_runner, rate
from headgate.domain.prices import PriceTable, parse_prices

PRICES = parse_prices(
    '{"CPU": "0.031611", "RAM": "0.004237", "GPU": "0.95", "spotCPU": "0.006655", "spotRAM": "0.000892",'
    ' "spotLabel": "pool", "spotLabelValue": "spot"}'
)


def pod(*requests: dict[str, str], **selector: str) -> dict[str, object]:
    return {
        "spec": {"nodeSelector": selector, "containers": [{"resources": {"requests": wanted}} for wanted in requests]}
    }


def hourly(prices: PriceTable, pod: Mapping[str, Any]) -> Decimal:
    """What an hour of the pod costs."""
    held = footprint_of(pod)
    assert held is not None
    return rate(prices, held).hourly


def test_an_hour_costs_what_all_containers_request() -> None:
    held = pod({"cpu": "500m", "memory": "1Gi"}, {"cpu": "1", "nvidia.com/gpu": "2"})
    assert hourly(PRICES, held) == Decimal("1.9516535")


def test_what_asks_for_spot_nodes_costs_what_those_do() -> None:
    assert hourly(PRICES, pod({"cpu": "2", "memory": "2Gi"}, pool="spot")) == Decimal("0.015094")


def test_nothing_is_rounded_before_the_twelfth_digit_and_halves_go_up() -> None:
    one = parse_prices('{"CPU": "0.000000001", "RAM": "0"}')
    assert hourly(one, pod({"cpu": "1m"})) == Decimal("1e-12")
    assert hourly(one, pod({"cpu": "499u"})) == 0
    assert hourly(one, pod({"cpu": "500u"})) == Decimal("1e-12")


def test_a_pod_that_requests_nothing_costs_nothing() -> None:
    assert hourly(PRICES, pod({})) == 0


def test_a_runner_of_a_pool_holds_the_container_of_scripts_too() -> None:
    assert rate(PRICES, of_runner(pooled=True)).hourly > rate(PRICES, of_runner(pooled=False)).hourly > 0


def test_of_a_pod_whose_spec_is_not_known_neither_is_what_it_holds() -> None:
    assert footprint_of({"status": {}}) is None
