"""A mount namespace of the cluster's own.

containerd and kubelet mount much, and some of their folders have fixed names. In here those folders are
the cluster's own, two clusters do not see each other's, and when the namespace goes, every mount goes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hack.cluster.paths import Layout
from hack.shell import run

# kubelet writes these settings of the whole machine unless it finds them right. In here it does.
_KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# Fixed in the programs: containerd's sockets of shims, libcni's cache and addresses, kubelet's log links.
_OWN_AND_EMPTY = ("/run/containerd", "/var/lib/cni", "/var/log/containers")


def namespace(layout: Layout) -> Path:
    """The file that keeps the namespace alive and by which it is entered."""
    return layout.run / "mnt"


def exists(layout: Layout) -> bool:
    """Whether the namespace can be entered: its file alone, as a crash leaves it, is none."""
    return namespace(layout) in _mount_points()


def owner(layout: Layout) -> Path | None:
    """The state folder of the cluster that runs under this name; None when none does."""
    try:
        return Path(_owner_file(layout).read_text())
    except FileNotFoundError:
        return None


def create(layout: Layout) -> None:
    """Makes the namespace; the run folder must be empty."""
    layout.run.mkdir(parents=True, exist_ok=True)
    _owner_file(layout).write_text(str(layout.state))
    # A namespace can be kept only in a private mount.
    run("mount", "--bind", layout.run, layout.run)
    run("mount", "--make-private", layout.run)
    namespace(layout).touch()

    steps = []
    for folder in _OWN_AND_EMPTY:
        Path(folder).mkdir(parents=True, exist_ok=True)
        steps.append(f"mount -t tmpfs -o mode=0755 headgate {folder}")
    Path("/var/lib/kubelet").mkdir(exist_ok=True)
    (layout.state / "kubelet").mkdir(exist_ok=True)
    steps.append(f"mount --bind {layout.state}/kubelet /var/lib/kubelet")
    settings = layout.run / "kernel"
    settings.mkdir()
    for name, value in _KERNEL_SETTINGS.items():
        shown = settings / name.replace("/", ".")
        shown.write_text(value + "\n")
        steps.append(f"mount --bind {shown} /proc/sys/{name}")
    script = "set -e\n" + "\n".join(steps)
    run("unshare", f"--mount={namespace(layout)}", "--propagation", "slave", "sh", "-c", script)


def delete(layout: Layout) -> None:
    """Removes the namespace and the run folder; does nothing when there is none."""
    for mounted in reversed(_mount_points()):
        if mounted == layout.run or layout.run in mounted.parents:
            run("umount", "--lazy", mounted)
    if layout.run.exists():
        shutil.rmtree(layout.run)


def _owner_file(layout: Layout) -> Path:
    return layout.run / "owner"


def _mount_points() -> list[Path]:
    return [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
