"""What an hour of an attempt costs: what its pod requests, or uses where that is more, at the prices of the day.

An attempt costs that times how long it took, rounded to a billionth (halves away from zero). It is multiplied in
Postgres, where both times are known (migration 0010a). Nothing here is ever a floating-point number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache
from types import MappingProxyType
from typing import Any

from headgate.domain.amounts import Amount
from headgate.domain.measured import Measured
from headgate.domain.prices import PriceTable

_NANOS = Decimal(10**9)
_GIB = Decimal(2**30)
_FINEST = Decimal("1e-12")
_DIGITS = 60
_NOTHING = Amount(0)


@dataclass(frozen=True)
class Footprint:
    """What a pod keeps from others, for as long as it is there."""

    cpu: Amount = _NOTHING
    memory: Amount = _NOTHING
    gpu: Amount = _NOTHING
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """The nodes that it asks for."""

    def __add__(self, other: Footprint) -> Footprint:
        """Both together, on the nodes of the first."""
        return Footprint(
            self.cpu + other.cpu, self.memory + other.memory, self.gpu + other.gpu, node_selector=self.node_selector
        )


@dataclass(frozen=True)
class Rate:
    """What an hour costs, and by which price table."""

    hourly: Decimal
    version: str


def requested(requests: Mapping[str, str]) -> Footprint:
    """What a container requests, by the names of Kubernetes; every resource that ends in ``/gpu`` is one."""
    amounts = {name: Amount.parse(str(text)) for name, text in requests.items()}
    gpus = [amount for name, amount in amounts.items() if name.endswith("/gpu")]
    return Footprint(amounts.get("cpu", _NOTHING), amounts.get("memory", _NOTHING), sum(gpus, _NOTHING))


def footprint_of(pod: Mapping[str, Any]) -> Footprint | None:
    """What a pod requests as it was admitted, defaults of its namespace included; None where that is not known."""
    spec = pod.get("spec")
    if not spec:
        return None
    total = Footprint(node_selector=spec.get("nodeSelector") or {})
    for container in spec.get("containers") or ():
        total += requested((container.get("resources") or {}).get("requests") or {})
    return total


def charged(held: Footprint, used: Measured | None) -> Footprint:
    """What is paid for: of each resource what was requested, or what was used in the mean where that is more."""
    if used is None:
        return held
    return replace(held, cpu=max(held.cpu, used.cpu), memory=max(held.memory, used.memory))


def rate(prices: PriceTable, held: Footprint) -> Rate:
    """What an hour of it costs, rounded to 12 digits after the point, halves away from zero."""
    spot = prices.is_spot(held.node_selector)
    with localcontext(prec=_DIGITS):
        total = (
            held.cpu.nanos / _NANOS * prices.price("CPU", spot=spot)
            + held.memory.nanos / _NANOS / _GIB * prices.price("RAM", spot=spot)
            + held.gpu.nanos / _NANOS * prices.price("GPU", spot=spot)
        )
        return Rate(total.quantize(_FINEST, ROUND_HALF_UP), prices.version)


RUNNER_REQUESTS: Mapping[str, str] = MappingProxyType({"cpu": "50m", "memory": "128Mi"})
"""What the runner of a run requests."""
POOL_REQUESTS: Mapping[str, str] = MappingProxyType({"cpu": "50m", "memory": "96Mi"})
"""What the container of a pool's runner requests that talks to the gateway."""
SCRIPT_REQUESTS: Mapping[str, str] = MappingProxyType({"cpu": "250m", "memory": "256Mi"})
"""What the one beside it requests that runs scripts, where the Workspace says nothing else."""


@cache
def of_runner(*, pooled: bool) -> Footprint:
    """What a runner holds while it does an attempt. Between attempts it is nobody's."""
    return requested(POOL_REQUESTS) + requested(SCRIPT_REQUESTS) if pooled else requested(RUNNER_REQUESTS)
