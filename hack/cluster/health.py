"""What the components say about themselves."""

from __future__ import annotations

import http.client
import ssl

from hack.cluster.network import Addresses

_TIMEOUT = 2.0
# These serve plain HTTP, or HTTPS with a certificate that they made up, so no identity is checked.
_PLAIN = {"kubelet": 10248, "kube-proxy": 10256}
_KUBE_ROUTER = 20244
_ENCRYPTED = {"kube-controller-manager": 10257, "kube-scheduler": 10259}


def unhealthy(addresses: Addresses) -> str | None:
    """The name of the first component that does not call itself healthy; None when all do."""
    for name, port in _PLAIN.items():
        if not _healthy(http.client.HTTPConnection(str(addresses.node), port, timeout=_TIMEOUT)):
            return name
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    for name, port in _ENCRYPTED.items():
        if not _healthy(http.client.HTTPSConnection(str(addresses.node), port, timeout=_TIMEOUT, context=anyone)):
            return name
    return None


def enforces(addresses: Addresses) -> bool:
    """Whether kube-router calls itself healthy, which it does once it has made its first rules."""
    return _healthy(http.client.HTTPConnection(str(addresses.node), _KUBE_ROUTER, timeout=_TIMEOUT))


def _healthy(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
