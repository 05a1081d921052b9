"""The Go that compiles the cluster's programs: the machine's own, or one in a container."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from hack.cluster.paths import cache_root
from hack.shell import succeeds

IMAGE = "docker.io/library/golang:1.26"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SETTINGS = {"CGO_ENABLED": "0", "GOWORK": "off"}
# How this network reaches modules.
_PASSED_ON = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOFLAGS")


def go(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command to which arguments for `go`, to be run in the folder, are added, and its environment.

    Raises ``RuntimeError`` where there is neither Go nor a Docker engine to run it.
    """
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if found is not None:
        return [found], {**os.environ, **_SETTINGS}
    if shutil.which("docker") is not None and succeeds("docker", "info"):
        return _in_container(folder), dict(os.environ)
    raise RuntimeError("neither is there: Go 1.26 or newer, or a running Docker engine to build the cluster with")


def _in_container(folder: Path) -> list[str]:
    """Go's own caches go into ours, so that the second program does not compile everything again."""
    cache = cache_root()
    machine = platform.machine()
    settings = {
        **_SETTINGS,
        # What is built runs on this machine, which need not be the container's kind.
        "GOOS": platform.system().lower(),
        "GOARCH": _ARCHITECTURES.get(machine, machine),
        "GOCACHE": str(cache / "go" / "build"),
        "GOMODCACHE": str(cache / "go" / "mod"),
        **{name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)},
    }
    return [
        *("docker", "run", "--rm", f"--user={os.getuid()}:{os.getgid()}"),
        *(f"--volume={folder}:{folder}:ro", f"--volume={cache}:{cache}", f"--workdir={folder}"),
        *(f"--env={name}={value}" for name, value in settings.items()),
        *(IMAGE, "go"),
    ]
