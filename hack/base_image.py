"""A base for container images from Debian's packages, where no registry of images can be asked."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.paths import cache_root
from hack.shell import run

# libstdc++6: wheels that bring compiled C++ expect it of the system.
_PACKAGES = ("ca-certificates", "libstdc++6", "python3", "python3-venv")
# How this machine reaches its mirrors and names is no business of the image; nobody reads manuals in it.
_FORGET = """cd "$1" && rm -rf etc/apt/sources.list* etc/apt/apt.conf.d/99mmdebstrap var/lib/apt/lists/* \
  etc/resolv.conf etc/hostname usr/share/locale/* usr/share/man/*"""


def root_file_system() -> Path:
    """A tar of Debian with Python, of the release that this machine runs; made once and then kept."""
    sources = _sources()
    suite = sources[0].suite
    key = hashlib.sha256(f"{suite} {_PACKAGES} {_FORGET}".encode()).hexdigest()[:12]
    target = cache_root() / "base" / f"debian-{suite}-{key}.tar"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    print(f"making a base of Debian {suite} ...", flush=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".base-") as scratch:
        options = Path(scratch, "apt.conf")
        options.write_text(run("apt-config", "dump", '--format=%f "%v";%n', "Acquire::http", "Acquire::https"))
        output = Path(scratch, "root.tar")
        run(
            *("mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(_PACKAGES)}"),
            *(f"--aptopt={options}", f"--customize-hook={_FORGET}", suite, output, "-"),
            stdin="\n".join(source.line for source in sources) + "\n",
        )
        output.rename(target)
    return target


@dataclass(frozen=True)
class _Source:
    """A Debian repository that this machine's apt uses."""

    uri: str
    suite: str
    component: str

    @property
    def line(self) -> str:
        """As sources.list has it; the keys are those that the machine trusts."""
        return f"deb {self.uri} {self.suite} {self.component}"


def _sources() -> list[_Source]:
    """The repositories of the machine's Debian release, the release itself before its updates."""
    if shutil.which("apt-get") is None:
        raise RuntimeError("without a Docker engine, images are built on Debian only")
    sources = _listed()
    if not sources:
        run("apt-get", "--quiet=2", "update")
        sources = _listed()
    if not sources:
        raise RuntimeError("apt on this machine knows no Debian repository")
    # The updates are called after the release: bookworm, bookworm-security.
    return sorted(sources, key=lambda source: len(source.suite))


def _listed() -> list[_Source]:
    told = run(
        *("apt-get", "indextargets", "Created-By: Packages", "Origin: Debian", "Component: main"),
        *("--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"),
    )
    return [_Source(*line.split("|")) for line in dict.fromkeys(told.splitlines())]
