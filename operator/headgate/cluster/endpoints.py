"""Where the API server answers, so that tenants' declared destinations can leave it out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import structlog

from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError
from headgate.desired.keys import ApiResource

SERVICES = ApiResource("", "v1", "Service", "services", namespaced=True)
ENDPOINT_SLICES = ApiResource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", namespaced=True)

_NAMESPACE = "default"
_SERVICE = "kubernetes"
_OF_SERVICE = f"kubernetes.io/service-name={_SERVICE}"

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


async def api_addresses(kube: KubeClient, server: str) -> tuple[str, ...]:
    """The addresses of the API server: of its Service, of what is behind it, and of ``server`` where its host is one.

    Sorted, each once. What may not be read or does not exist is logged and left out; raises ``ApiError`` for every
    other refusal and ``Unreachable``, so that nobody takes a part of the addresses for all.
    """
    found = [urlsplit(server).hostname or "", *await _of_service(kube), *await _of_endpoints(kube)]
    return tuple(map(str, sorted(set(_parsed(found)), key=lambda address: (address.version, address))))


async def _of_service(kube: KubeClient) -> list[str]:
    try:
        spec = (await kube.get(SERVICES, _SERVICE, _NAMESPACE)).get("spec") or {}
    except ApiError as error:
        _tolerate(error, SERVICES)
        return []
    return [*(spec.get("clusterIPs") or ()), spec.get("clusterIP") or ""]


async def _of_endpoints(kube: KubeClient) -> list[str]:
    try:
        pages = [page async for page in kube.list_pages(ENDPOINT_SLICES, namespace=_NAMESPACE, labels=_OF_SERVICE)]
    except ApiError as error:
        _tolerate(error, ENDPOINT_SLICES)
        return []
    endpoints: list[dict[str, Any]] = [
        endpoint for page in pages for item in page["items"] for endpoint in item.get("endpoints") or ()
    ]
    return [address for endpoint in endpoints for address in endpoint.get("addresses") or ()]


def _tolerate(error: ApiError, resource: ApiResource) -> None:
    if not (error.is_forbidden or error.is_not_found):
        raise error
    structlog.get_logger("headgate.endpoints").warning(
        "addresses of the API server are unknown: declared egress may reach them",
        resource=resource.plural,
        error=str(error),
    )


def _parsed(texts: Iterable[str]) -> Iterator[_Address]:
    """Those that are addresses; a headless Service says None, and an EndpointSlice may hold names."""
    for text in texts:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        yield mapped or address
