"""Asks a real API server what it thinks of objects, by dry runs that store nothing."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from headgate.cluster.connection import Connection, connect
from tests.support.documents import document

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = sorted((ROOT / "crds").glob("*.yaml"))
KUBECONFIG_VARIABLE = "HEADGATE_TEST_KUBECONFIG"
"""Names a kubeconfig whose API server the tests may use. The current context is never used unasked."""
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1

_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Quota": "/apis/headgate.dev/v1alpha1/quotas",
    "Workspace": "/apis/headgate.dev/v1alpha1/workspaces",
    "Workflow": "/apis/headgate.dev/v1alpha1/namespaces/{namespace}/workflows",
    "WorkflowRun": "/apis/headgate.dev/v1alpha1/namespaces/{namespace}/workflowruns",
}
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
Object = dict[str, Any]


class Refused(Exception):  # noqa: N818 - reads as what it says
    """The API server refused; the text is what a person would be shown."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class SchemaServer:
    """An API server that knows the definitions in `crds/`."""

    connection: Connection
    context: ssl.SSLContext

    @classmethod
    def at(cls, kubeconfig: str) -> Self:
        """The API server of a kubeconfig."""
        connection = connect(kubeconfig)
        return cls(connection, connection.ssl_context())

    def dry_create(self, manifest: Object) -> Object:
        """The object as it would be stored. `Refused` when it would not."""
        return self._send("POST", _path(manifest, named=False), manifest, dryRun="All", fieldValidation="Strict")

    def dry_replace(self, manifest: Object) -> Object:
        """The object as it would be stored in place of the one that is there. `Refused` when it would not."""
        while True:
            version = self.get(manifest)["metadata"]["resourceVersion"]
            current = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}
            try:
                return self._send("PUT", _path(manifest), current, dryRun="All", fieldValidation="Strict")
            except Refused as refusal:
                # Someone, such as the operator with its status, wrote in between.
                if refusal.status != HTTPStatus.CONFLICT:
                    raise

    def create(self, manifest: Object) -> Object:
        """Create an object for real."""
        return self._send("POST", _path(manifest, named=False), manifest)

    def apply(self, manifest: Object, **query: str) -> Object:
        """Apply server-side with force, for real unless `dryRun` is given."""
        options = {"fieldManager": "tests", "force": "true", "fieldValidation": "Strict", **query}
        return self._send("PATCH", _path(manifest), manifest, _APPLY, **options)

    def get(self, manifest: Object) -> Object:
        """The object as it is."""
        return self._send("GET", _path(manifest))

    def delete(self, manifest: Object) -> None:
        """Delete for real; fine when it is not there."""
        try:
            self._send("DELETE", _path(manifest))
        except Refused as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise

    def install_definitions(self) -> None:
        """Apply `crds/` where the cluster has others or none, and wait until every kind is served."""
        definitions = [document(path.read_text()) for path in DEFINITIONS]
        for definition in definitions:
            # Owning fields beside the chart would make the next upgrade of the chart a conflict.
            if not self._has(definition):
                self.apply(definition)
        for definition in definitions:
            self._until_established(definition)

    def _has(self, definition: Object) -> bool:
        try:
            return bool(self.apply(definition, dryRun="All")["spec"] == self.get(definition)["spec"])
        except Refused as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            return False

    def _until_established(self, definition: Object) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            conditions = self.get(definition).get("status", {}).get("conditions", [])
            if any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
                return
            time.sleep(PAUSE_SECONDS)
        raise TimeoutError(f"{definition['metadata']['name']} is not established")

    def _send(self, method: str, path: str, body: Object | None = None, content: str = _JSON, **query: str) -> Object:
        """One request; repeated while the server says that it is not ready for it yet."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            request = urllib.request.Request(
                f"{self.connection.server}{path}?{urlencode(query)}",
                data=None if body is None else json.dumps(body).encode(),
                method=method,
                headers={**self.connection.headers(), "Content-Type": content, "Accept": _JSON},
            )
            try:
                with urllib.request.urlopen(request, context=self.context, timeout=30) as response:
                    answer: Object = json.load(response)
                    return answer
            except urllib.error.HTTPError as error:
                with error:
                    message = json.load(error)["message"]
                # Right after a definition was applied its storage is not ready, or the kind not served, for a moment.
                if error.code != HTTPStatus.TOO_MANY_REQUESTS or time.monotonic() > deadline:
                    raise Refused(error.code, message) from None
            time.sleep(PAUSE_SECONDS)


def _path(manifest: Object, *, named: bool = True) -> str:
    metadata = manifest["metadata"]
    path = _PATHS[manifest["kind"]].format(namespace=metadata.get("namespace", ""))
    return f"{path}/{metadata['name']}" if named else path
