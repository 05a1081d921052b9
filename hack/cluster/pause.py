"""The image of the container that holds a pod's namespaces: a static busybox that sleeps."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
from pathlib import Path

# The digest of nothing but the tag decides whether a runtime has the image: change it with the content.
PAUSE_TAG = "headgate.local/pause:1"

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(target: Path) -> None:
    """Writes the image as a docker archive."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise RuntimeError("busybox-static is missing: run `python3 -m hack.packages`")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        _add(archive, "busybox", Path(busybox).read_bytes(), mode=0o755)
    config = {
        "architecture": _MACHINES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": ["/busybox", "sleep", "2147483647"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_TAG], "Layers": ["layer.tar"]}]
    with tarfile.open(target, mode="w") as archive:
        _add(archive, "layer.tar", layer.getvalue())
        _add(archive, "config.json", json.dumps(config).encode())
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = mode
    archive.addfile(entry, io.BytesIO(content))
