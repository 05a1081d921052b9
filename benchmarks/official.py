"""The bare script as most people would write it: the official client, a pool of threads, server-side apply."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.dynamic import DynamicClient

from benchmarks.bare import MANAGER
from benchmarks.fleet import CONCURRENCY
from headgate.desired.keys import NAMESPACE
from headgate.desired.manifest import Manifest


def make(kubeconfig: Path, objects: Sequence[Manifest]) -> float:
    """Apply the namespaces and then all else, as many at the same time as the operator; the seconds that it took."""
    settings = Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=settings)  # type: ignore[no-untyped-call]
    settings.connection_pool_maxsize = CONCURRENCY
    api = ApiClient(settings)
    client: Any = DynamicClient(api)  # type: ignore[no-untyped-call]
    used = {_kind(item) for item in objects}
    kinds = {kind: client.resources.get(api_version=kind[0], kind=kind[1]) for kind in used}

    def apply(item: Manifest) -> None:
        metadata = item["metadata"]
        client.server_side_apply(
            kinds[_kind(item)],
            body=item,
            name=metadata["name"],
            namespace=metadata.get("namespace"),
            field_manager=MANAGER,
        )

    started = time.monotonic()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for stage in (True, False):
            list(pool.map(apply, [item for item in objects if (item["kind"] == NAMESPACE.kind) is stage]))
    seconds = time.monotonic() - started
    api.close()  # type: ignore[no-untyped-call]
    return seconds


def _kind(item: Manifest) -> tuple[str, str]:
    api_version: Any = item["apiVersion"]
    return str(api_version), str(item["kind"])
