"""The little of a Kubernetes client that starting a cluster needs, from the standard library."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any


class ApiError(RuntimeError):
    """The API server refused a request."""


class Api:
    """Talks to one API server with a client certificate."""

    def __init__(self, host: str, pki: Path, identity: str) -> None:
        """Prepares for the server on port 6443 of this host, as the identity of this name."""
        self._host = host
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / f"{identity}.crt", pki / f"{identity}.key")

    def ready(self) -> bool:
        """Whether the server answers that it is ready."""
        try:
            return self._request("GET", "/readyz")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at this path, or None when there is none."""
        status, body = self._request("GET", path)
        if status == http.client.NOT_FOUND:
            return None
        return self._object(status, body, path)

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Makes the object at this path as described; changes nothing when it is."""
        status, body = self._request("PATCH", f"{path}?fieldManager=headgate-cluster&force=true", manifest)
        self._object(status, body, path)

    @staticmethod
    def _object(status: int, body: bytes, path: str) -> dict[str, Any]:
        if status >= http.client.BAD_REQUEST:
            raise ApiError(f"{path}: {status} {body.decode(errors='replace')}")
        decoded: dict[str, Any] = json.loads(body)
        return decoded

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(self._host, 6443, timeout=10, context=self._tls)
        try:
            content = None if body is None else json.dumps(body)
            # JSON is YAML, and this type asks for a server-side apply.
            connection.request(method, path, content, {"Content-Type": "application/apply-patch+yaml"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
