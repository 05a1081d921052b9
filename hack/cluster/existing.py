"""A cluster that somebody else runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hack.cluster import build, kubeconfig
from hack.shell import run

_HOST_ADDRESS = "HEADGATE_HOST_ADDRESS"
_POD_CIDR = "HEADGATE_POD_CIDR"


class ExistingContext:
    """One named context of the user's kubeconfig, which is read and never written.

    Only that context is copied, so nothing that uses the copy can reach another cluster by mistake.
    """

    def __init__(self, context: str, state: Path) -> None:
        """Names the context; whatever context happens to be current is never taken for it."""
        if not context:
            raise ValueError("name the context to use: the current one is not taken unasked")
        self._context = context
        self._state = state.resolve()

    @property
    def kubeconfig(self) -> Path:
        """The copy of the context."""
        return self._state / "kubeconfig"

    def up(self) -> None:
        """Copies the context and sees that its server is ready."""
        self._state.mkdir(parents=True, exist_ok=True)
        copied = run(_kubectl(), "config", "view", "--raw", "--minify", "--flatten", f"--context={self._context}")
        kubeconfig.write_private(self.kubeconfig, copied)
        run(_kubectl(), f"--kubeconfig={self.kubeconfig}", "--request-timeout=10s", "get", "--raw=/readyz")

    def down(self) -> None:
        """Removes the copy; the cluster is somebody else's."""
        self.kubeconfig.unlink(missing_ok=True)

    def load_image(self, archive: Path, tag: str) -> None:
        """Always refuses: only a registry that the cluster's nodes can reach gives them an image."""
        raise RuntimeError(f"{self._context} cannot be given {archive}: push {tag} to a registry that its nodes reach")

    def folder(self, user: int, within: str) -> Path | None:
        """None: its nodes are somebody else's."""
        del user, within
        return None

    def host_address(self) -> str:
        """What the environment variable HEADGATE_HOST_ADDRESS says; there is no way to find out."""
        return self._told(_HOST_ADDRESS, "the address at which its pods reach this host")

    def pod_cidr(self) -> str:
        """What the environment variable HEADGATE_POD_CIDR says; there is no way to find out."""
        return self._told(_POD_CIDR, "the range from which connections of its pods arrive at this host")

    def _told(self, variable: str, meaning: str) -> str:
        value = os.environ.get(variable)
        if not value:
            raise RuntimeError(f"for the context {self._context}, set {variable}: {meaning}")
        return value


def _kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        build.build(("kubectl",))
    return found or str(build.program("kubectl"))
