"""Kubeconfig files. JSON is YAML, so the standard library writes them."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path


def write(path: Path, *, cluster: str, server: str, pki: Path, identity: str) -> None:
    """Writes a kubeconfig that holds everything it needs and that only its owner may read."""

    def embedded(name: str) -> str:
        return base64.b64encode((pki / name).read_bytes()).decode()

    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [
            {"name": cluster, "cluster": {"server": server, "certificate-authority-data": embedded("ca.crt")}}
        ],
        "users": [
            {
                "name": f"{cluster}-{identity}",
                "user": {
                    "client-certificate-data": embedded(f"{identity}.crt"),
                    "client-key-data": embedded(f"{identity}.key"),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": f"{cluster}-{identity}"}}],
    }
    write_private(path, json.dumps(content, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Writes a file that is at no moment readable by others."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.rename(path)
