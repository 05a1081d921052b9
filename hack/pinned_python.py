"""Python programs with dependencies of their own: each in a virtual environment outside of the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from pathlib import Path

from hack.cluster.paths import cache_root
from hack.record import ROOT
from hack.shell import run

LOCKS = ROOT / "requirements"


def environment(lock: Path, cache: Path) -> Path:
    """The folder of the environment that this lock file asks for: another pin, another folder."""
    # An environment belongs to the interpreter that it was made with.
    made_from = lock.read_bytes() + f"{sys.implementation.cache_tag} {sys.base_prefix}".encode()
    return cache / "python" / f"{lock.stem}-{hashlib.sha256(made_from).hexdigest()[:12]}"


def program(name: str) -> Path:
    """Where the program is that `requirements/<name>.lock` pins, with every hash checked. Installed on first use."""
    return _installed(name) / "bin" / name


def interpreter(name: str) -> Path:
    """The Python that has what `requirements/<name>.lock` pins. Installed on first use, as ``program`` is."""
    return _installed(name) / "bin" / "python"


def _installed(name: str) -> Path:
    lock = LOCKS / f"{name}.lock"
    folder = environment(lock, cache_root())
    if not _finished(folder).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / ".lock").open("w") as only_one:
            fcntl.flock(only_one, fcntl.LOCK_EX)
            if not _finished(folder).exists():
                _install(lock, folder)
    return folder


def _finished(folder: Path) -> Path:
    """Written last: an environment cannot be moved, so an interrupted installation is told from a whole one by this."""
    return folder / ".finished"


def _install(lock: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "venv", folder)
    # The lock file names every dependency, so none is looked for.
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps")
    run(folder / "bin" / "python", "-m", "pip", "install", *options, "-r", lock)
    _finished(folder).touch()
