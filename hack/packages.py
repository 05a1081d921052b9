"""`python3 -m hack.packages [GROUP ...]`: the Debian packages that development needs, installed if missing.

Only what is missing is installed, nothing is ever removed for it, and no service is started or enabled.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hack.shell import succeeds

_GUARD = Path("/usr/sbin/policy-rc.d")
_GUARD_TEXT = (
    "#!/bin/sh\n# Made by hack/packages.py, which removes it again: nothing that it installs is to start.\nexit 101\n"
)
# Debian keeps administrators' programs where an ordinary PATH does not look.
_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


class PackagesError(RuntimeError):
    """Something is missing that cannot be installed from here; the message says what to do."""


@dataclass(frozen=True)
class Need:
    """Something that has to be there, and the Debian package that brings it."""

    package: str
    there: Callable[[], bool]
    service: str | None = None


def _command(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name, path=_PATH) is not None


def _file(*places: str) -> Callable[[], bool]:
    return lambda: any(Path(place).exists() for place in places)


def _module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def postgres_programs() -> Path | None:
    """The folder of the newest Postgres' programs that Debian's packages brought; None where there is none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((program.parent for program in found), key=lambda folder: int(folder.parent.name), default=None)


# What counts is the program and not the package: a containerd from elsewhere serves as well, and to install
# Debian's beside it would remove it.
GROUPS: dict[str, tuple[Need, ...]] = {
    "python": (Need("python3-venv", _module("ensurepip")),),
    "cluster": (
        Need("containerd", _command("containerd"), service="containerd"),
        Need("runc", _command("runc")),
        Need("containernetworking-plugins", _file("/usr/lib/cni/ptp", "/opt/cni/bin/ptp")),
        Need("nftables", _command("nft")),
        Need("iproute2", _command("ip")),
        Need("util-linux", _command("nsenter")),
        Need("mount", _command("mount")),
        Need("openssl", _command("openssl")),
        Need("busybox-static", _command("busybox")),
    ),
    "enforcement": (Need("iptables", _command("iptables")), Need("ipset", _command("ipset"))),
    "image": (Need("buildah", _command("buildah")), Need("mmdebstrap", _command("mmdebstrap"))),
    "test": (
        Need("redis-server", _command("redis-server"), service="redis-server"),
        Need("pgbouncer", _command("pgbouncer"), service="pgbouncer"),
    ),
    # For benchmarks alone: what is embedded has none of the extensions that other systems ask Postgres for.
    "peers": (Need("postgresql", lambda: postgres_programs() is not None, service="postgresql"),),
}


def ensure(*groups: str) -> None:
    """Returns when every program of these groups is there; installs packages where that is possible."""
    missing = [need for group in groups for need in GROUPS[group] if not need.there()]
    if not missing:
        return
    names = sorted({need.package for need in missing})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PackagesError(
            f"missing: {' '.join(names)} (names of Debian packages). "
            f"Install them, on Debian with: apt-get install --no-install-recommends {' '.join(names)}"
        )
    print(f"installing {' '.join(names)} ...", flush=True)
    with _services_guarded():
        _apt("update")
        _apt("install", "--yes", "--no-remove", "--no-install-recommends", *names)
    services = [need.service for need in missing if need.service]
    if services and shutil.which("systemctl"):
        succeeds("systemctl", "disable", *services)
    lacking = [need.package for need in missing if not need.there()]
    if lacking:
        raise PackagesError(f"installed, and yet not to be found: {' '.join(lacking)}")


def _apt(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", "--quiet=2", "--option=DPkg::Lock::Timeout=300", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise PackagesError(f"apt-get {' '.join(arguments)} failed")


@contextmanager
def _services_guarded() -> Iterator[None]:
    """Keeps Debian's scripts from starting services; a guard of the machine's own stays as it is."""
    # One of ours is left behind when a former run was killed.
    ours = not _GUARD.exists() or _GUARD.read_text(errors="replace") == _GUARD_TEXT
    if ours:
        _GUARD.write_text(_GUARD_TEXT)
        _GUARD.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            _GUARD.unlink(missing_ok=True)


def main() -> int:
    """Installs the groups named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python3 -m hack.packages", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all if none is named")
    asked: list[str] = parser.parse_args().groups
    unknown = sorted(set(asked) - set(GROUPS))
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}")
    try:
        ensure(*(asked or GROUPS))
    except PackagesError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
