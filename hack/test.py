"""`make test`: brings up what the tests need, runs them, and stops what it started."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib

from hack import image, packages
from hack.cluster.local import LocalCluster
from hack.cluster.provider import ClusterProvider, choose
from hack.kube import Kube
from hack.record import ROOT, STATE
from hack.steps import Progress, StepFailedError
from hack.tools import tool

# Each checkout has a cluster of its own, so that two of them can be tested side by side.
NAME = f"headgate-test-{zlib.crc32(str(ROOT).encode()):08x}"
CLUSTER_STATE = STATE / "test"
_LOGS = STATE / "logs" / "test"


def prepare(provider: ClusterProvider, progress: Progress) -> None:
    """Brings up the tests' own cluster, and gives it the image of these sources."""
    with progress.step("System packages", "install what is named above"):
        # Where Docker answers, cluster and image come from it.
        if isinstance(provider, LocalCluster):
            packages.ensure("cluster", "enforcement", "image")
        packages.ensure("test")
    with progress.step("Kubernetes", f"see the logs in {CLUSTER_STATE / 'logs'}"):
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
    provider = choose(NAME, CLUSTER_STATE)
    kept = bool(os.environ.get("KEEP")) or _runs(provider)
    progress = Progress(_LOGS, 5)
    try:
        prepare(provider, progress)
        return _pytest(provider)
    except (StepFailedError, KeyboardInterrupt):
        return 1
    finally:
        # Said by nobody, so that pytest has the last word.
        if not kept:
            provider.down()


def _pytest(provider: ClusterProvider) -> int:
    environment = {**os.environ, "HEADGATE_TEST_KUBECONFIG": str(provider.kubeconfig)}
    return subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], env=environment, check=False).returncode


def _runs(provider: ClusterProvider) -> bool:
    return provider.kubeconfig.exists() and Kube(provider.kubeconfig).succeeds("get", "--raw=/readyz")


if __name__ == "__main__":
    sys.exit(main())
