from __future__ import annotations

from collections.abc import Iterable

import pytest
from structlog.testing import capture_logs

from headgate.cluster.endpoints import ENDPOINT_SLICES, SERVICES, api_addresses
from headgate.cluster.errors import ApiError, Unreachable
from tests.unit.cluster.fake_kube import FakeKube

BY_NAME = "https://api.example:6443"


def a_service(kube: FakeKube, *addresses: str) -> None:
    spec = {"clusterIP": addresses[0], "clusterIPs": list(addresses)}
    kube.put(SERVICES, {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": spec})


def a_slice(kube: FakeKube, name: str, addresses: Iterable[str], service: str = "kubernetes") -> None:
    kube.put(
        ENDPOINT_SLICES,
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": service},
            },
            "endpoints": [{"addresses": [address]} for address in addresses],
        },
    )


async def test_service_endpoints_and_server_are_told_in_order_and_once() -> None:
    kube = FakeKube()
    a_service(kube, "10.96.0.1", "fd00::1")
    a_slice(kube, "kubernetes", ["192.0.2.20", "192.0.2.3"])
    a_slice(kube, "kubernetes-ipv6", ["2001:db8::7"])

    found = await api_addresses(kube, "https://10.96.0.1:443")

    assert found == ("10.96.0.1", "192.0.2.3", "192.0.2.20", "2001:db8::7", "fd00::1")


async def test_endpoints_of_every_page_count_and_of_no_other_service() -> None:
    kube = FakeKube(page_size=1)
    a_service(kube, "10.96.0.1")
    a_slice(kube, "a", ["192.0.2.1"])
    a_slice(kube, "b", ["192.0.2.2"])
    a_slice(kube, "c", ["192.0.2.9"], service="other")

    assert await api_addresses(kube, BY_NAME) == ("10.96.0.1", "192.0.2.1", "192.0.2.2")


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("https://192.0.2.5:6443", "192.0.2.5"),
        ("https://[2001:db8:0::5]", "2001:db8::5"),
        ("https://[::ffff:192.0.2.5]", "192.0.2.5"),
    ],
)
async def test_the_server_s_own_address_counts(server: str, address: str) -> None:
    kube = FakeKube()
    a_service(kube, "None")

    assert await api_addresses(kube, server) == (address,)


@pytest.mark.parametrize("status", [403, 404])
async def test_what_may_not_be_read_is_logged_and_left_out(status: int) -> None:
    kube = FakeKube()
    a_service(kube, "10.96.0.1")
    kube.fail("list", ApiError(status, "No", "not for you"))

    with capture_logs() as logs:
        found = await api_addresses(kube, BY_NAME)

    assert found == ("10.96.0.1",)
    assert [(entry["log_level"], entry["resource"]) for entry in logs] == [("warning", "endpointslices")]


@pytest.mark.parametrize("verb", ["get", "list"])
@pytest.mark.parametrize("error", [ApiError(500, "Oops", "later"), Unreachable("away")])
async def test_a_part_is_never_taken_for_all(verb: str, error: ApiError | Unreachable) -> None:
    kube = FakeKube()
    a_service(kube, "10.96.0.1")
    kube.fail(verb, error)

    with pytest.raises(type(error)):
        await api_addresses(kube, BY_NAME)
