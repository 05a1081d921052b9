"""`make test`: brings up what the tests need, runs them, and stops what it started."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

from hack import image, packages
from hack.cluster.local import LocalCluster
from hack.cluster.provider import ClusterProvider, choose
from hack.kube import Kube
from hack.record import ROOT, STATE
from hack.steps import Progress, StepFailedError
from hack.tools import tool

# Each checkout has clusters of its own, so that two of them can be tested side by side.
NAME = f"headgate-test-{zlib.crc32(str(ROOT).encode()):08x}"
CLUSTERS = 2
"""How many there are at most. All but the first are brought up by the tests that use them."""


@dataclass(frozen=True)
class Place:
    """Where one of the tests' own clusters is, with all that goes with it."""

    number: int = 0

    @property
    def name(self) -> str:
        """The cluster's, and of nothing else on this machine."""
        return f"{NAME}{self._suffix}"

    @property
    def state(self) -> Path:
        """The folder of the cluster and of its Postgres."""
        return STATE / f"test{self._suffix}"

    @property
    def logs(self) -> Path:
        """What operators wrote that worked on it."""
        return STATE / "logs" / f"test{self._suffix}"

    def provider(self) -> ClusterProvider:
        """The cluster itself."""
        return choose(self.name, self.state)

    @property
    def _suffix(self) -> str:
        return f"-{self.number + 1}" if self.number else ""


def prepare(provider: ClusterProvider, progress: Progress) -> None:
    """Brings up the first of the tests' own clusters, and gives it the image of these sources."""
    with progress.step("System packages", "install what is named above"):
        # Where Docker answers, cluster and image come from it.
        if isinstance(provider, LocalCluster):
            packages.ensure("cluster", "enforcement", "image")
        packages.ensure("test")
    with progress.step("Kubernetes", f"see the logs in {Place().state / 'logs'}"):
        provider.up()
    with progress.step("Helm", "it is compiled once, with Go 1.26 or newer"):
        tool("helm")
    with progress.step("Image", "see what the build says; behind a proxy, pip needs PIP_INDEX_URL or PIP_CERT"):
        built = image.build()
    with progress.step("Image into the cluster"):
        if not Kube(provider.kubeconfig).has_image(image.full_name(built.tag)):
            provider.load_image(built.archive, built.tag)


def main() -> int:
    """The command; arguments are pytest's. Returns pytest's exit code, and 1 when it never came to that."""
    os.chdir(ROOT)
    places = [Place(number) for number in range(CLUSTERS)]
    kept = [place for place in places if os.environ.get("KEEP") or _runs(place.provider())]
    progress = Progress(places[0].logs, 5)
    try:
        prepare(places[0].provider(), progress)
        return _pytest()
    except (StepFailedError, KeyboardInterrupt):
        return 1
    finally:
        # Said by nobody, so that pytest has the last word.
        for place in places:
            if place not in kept and place.state.exists():
                place.provider().down()


def _pytest() -> int:
    # It may keep what it compiles, which the programs that tests start and the next run need again.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], env=environment, check=False).returncode


def _runs(provider: ClusterProvider) -> bool:
    return provider.kubeconfig.exists() and Kube(provider.kubeconfig).succeeds("get", "--raw=/readyz")


if __name__ == "__main__":
    sys.exit(main())
