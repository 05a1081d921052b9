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

    def create(self, path: str, manifest: dict[str, Any]) -> None:
        """Creates an object; content when one of its name is there."""
        status, body = self._request("POST", path, manifest)
        if status != http.client.CONFLICT:
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
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
