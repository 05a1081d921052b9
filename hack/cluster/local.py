"""A cluster of one node made of plain processes, in namespaces and a cgroup of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hack import packages
from hack.cluster import (
    build,
    certs,
    cgroups,
    config,
    dns,
    enforcement,
    health,
    mounts,
    network,
    pause,
    readiness,
)
from hack.cluster.api import Api
from hack.cluster.components import CLIENTS, COMPONENTS, ENFORCER, FOUNDATION, command
from hack.cluster.images import Images
from hack.cluster.network import Addresses
from hack.cluster.paths import Layout
from hack.cluster.processes import Process, spawn, tail
from hack.cluster.state import State
from hack.image import full_name
from hack.steps import TroubleError

_PATIENCE = 90.0
_GRACE = 10.0
_ENVIRONMENT = {"GOGC": "400", "GOMEMLIMIT": "2GiB"}
"""Go's garbage collector took a sixth of the API server's time on two cores: memory costs less here, up to a limit."""


class LocalCluster:
    """Starts and stops the real Kubernetes on this machine, without a container engine. Needs root."""

    def __init__(self, name: str, state: Path) -> None:
        """Names the cluster and its folder; nothing is touched yet."""
        self._layout = Layout(name, state.resolve())
        self._images = Images(self._layout.containerd_socket)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, there once the cluster is up."""
        return self._layout.kubeconfig

    def folder(self, user: int, within: str) -> Path | None:
        """Folders in that of the cluster: the kubelet sees this machine's files under their own names."""
        folder = self._layout.volume
        for each in (folder, folder / within):
            each.mkdir(parents=True, exist_ok=True)
            each.chmod(0o700)
            os.chown(each, user, user)
        return folder

    def host_address(self) -> str:
        """The address at which pods reach a process of this host."""
        return str(self._addresses().host)

    def pod_cidr(self) -> str:
        """The range of pods' source addresses, as a process of this host sees them."""
        return str(self._addresses().pods)

    def up(self) -> None:
        """Starts what does not run and returns when the cluster is usable; a running cluster is left alone."""
        if os.geteuid() != 0:
            raise PermissionError("a local cluster needs root, for namespaces, mounts and cgroups")
        packages.ensure("cluster")
        build.build()
        with self._locked():
            state = State.load(self._layout)
            if self._running(state):
                return
            state = self._prepare(state)
            self._start(state, FOUNDATION)
            self._wait_for_foundation(state)
            self._start(state, CLIENTS)
            self._wait_until_usable(state)

    def down(self) -> None:
        """Stops everything that `up` started and removes everything that it made, except the logs."""
        with self._locked():
            self._stop(State.load(self._layout))
            for path in self._layout.state.iterdir():
                if path.is_dir() and path != self._layout.logs:
                    shutil.rmtree(path)
                elif not path.is_dir():
                    path.unlink()

    def restart(self, component: str, *, absent: float = 0.0) -> None:
        """Kills a component as a crash would, and starts it again after so many seconds of absence."""
        with self._locked():
            state = State.load(self._layout)
            if component not in state.processes:
                raise ValueError(f"no {component} to restart; there are: {', '.join(state.processes)}")
            process = state.processes[component]
            process.send(signal.SIGKILL)
            readiness.wait(f"{component} is gone", lambda: not process.alive(), seconds=_GRACE, alive=_nothing)
            time.sleep(absent)
            self._start(state, (component,))
            self._wait_for_foundation(state)
            self._wait_until_usable(state)

    @contextmanager
    def enforcing(self) -> Iterator[None]:
        """NetworkPolicies hold from the start of the block to its end; otherwise they are only accepted."""
        packages.ensure("enforcement")
        build.build((ENFORCER,))
        with self._locked():
            state = State.load(self._layout)
            self._start(state, (ENFORCER,))
            addresses = self._addresses()
            self._wait(state, "NetworkPolicies are enforced", lambda: health.enforces(addresses))
        try:
            yield
        finally:
            with self._locked():
                self._end_enforcement()

    def load_image(self, archive: Path, tag: str) -> None:
        """Gives the node the image of this tag from a docker archive; quick when it has just that."""
        self._addresses()
        if self._images.holds(archive, tag):
            return
        self._images.load(archive)
        if full_name(tag) not in self._images.digests():
            raise ValueError(f"{archive} does not hold an image {full_name(tag)}")

    def load_archive(self, archive: Path) -> list[str]:
        """Gives the node every image of an archive and tells their names."""
        self._addresses()
        return self._images.load(archive)

    def status(self) -> dict[str, str]:
        """What runs, and whether the cluster is usable."""
        state = State.load(self._layout)
        told = {
            name: f"running, pid {process.pid}" if process.alive() else "dead"
            for name, process in state.processes.items()
        }
        if state.addresses is None:
            return {"cluster": "down"}
        unmet = self._unmet(state.addresses) if self._layout.kubeconfig.exists() else "it was started"
        return {**told, "cluster": "usable" if unmet is None else f"not usable: not yet true that {unmet}"}

    def _end_enforcement(self) -> None:
        state = State.load(self._layout)
        process = state.processes.pop(ENFORCER, None)
        if process is not None:
            process.send(signal.SIGKILL)
            readiness.wait(f"{ENFORCER} is gone", lambda: not process.alive(), seconds=_GRACE, alive=_nothing)
        enforcement.clear(self._layout)
        state.save(self._layout)

    def _addresses(self) -> Addresses:
        addresses = State.load(self._layout).addresses
        if addresses is None:
            raise RuntimeError(f"the cluster {self._layout.name} is not up")
        return addresses

    def _api(self, addresses: Addresses) -> Api:
        return Api(str(addresses.node), self._layout.pki, "admin")

    def _unmet(self, addresses: Addresses) -> str | None:
        return readiness.unmet(self._api(addresses), self._layout.name, addresses)

    def _running(self, state: State) -> bool:
        alive = all(name in state.processes and state.processes[name].alive() for name in COMPONENTS)
        return alive and state.addresses is not None and self._unmet(state.addresses) is None

    def _prepare(self, state: State) -> State:
        """Makes namespaces, cgroup, certificates and configuration; after a crash, on the ruins of the old."""
        layout = self._layout
        whole = network.exists(layout.netns) and mounts.exists(layout)
        if not whole:
            # Processes in namespaces that are gone, or without a namespace to join, are of no use.
            self._stop(state)
            addresses = network.create(layout.netns, state.addresses)
            mounts.create(layout)
            state = State(addresses)
            state.save(layout)
        if state.addresses is None:
            raise TroubleError(
                f"the running cluster {layout.name} belongs to {mounts.owner(layout)}",
                "`make down` in that checkout first: a machine has one cluster of that name",
            )
        cgroups.create(layout.cgroup)
        if not (layout.pki / "issued").exists():
            # A fresh cluster: what is there tells of an earlier one.
            shutil.rmtree(layout.logs, ignore_errors=True)
        layout.logs.mkdir(exist_ok=True)
        certs.issue(layout.pki, layout.name, state.addresses)
        # What died before now is started again, and its death is no reason to give up.
        state.processes = {name: process for name, process in state.processes.items() if process.alive()}
        return state

    def _start(self, state: State, components: tuple[str, ...]) -> None:
        if state.addresses is None:
            raise ValueError("a cluster without addresses cannot start")
        config.write(self._layout, state.addresses)
        for name in components:
            if name in state.processes and state.processes[name].alive():
                continue
            state.processes[name] = spawn(
                command(self._layout, state.addresses, name),
                environment=_ENVIRONMENT,
                log=self._log(name),
                cgroup_entrances=cgroups.entrances(self._layout.cgroup),
                folder=self._layout.state,
            )
            # Recorded one by one: whatever happens next, `down` finds it.
            state.save(self._layout)

    def _wait_for_foundation(self, state: State) -> None:
        if state.addresses is None:
            raise ValueError("a cluster without addresses cannot be waited for")
        self._wait(state, "containerd answers", self._images.answers)
        if pause.PAUSE_TAG not in self._images.digests():
            archive = self._layout.state / "pause.tar"
            pause.write(archive)
            self._images.load(archive)
            archive.unlink()
        api = self._api(state.addresses)
        self._wait(state, "the API server is ready", api.ready)
        dns.install(api, state.addresses)

    def _wait_until_usable(self, state: State) -> None:
        addresses = state.addresses
        if addresses is None:
            raise ValueError("a cluster without addresses cannot be waited for")
        self._wait(state, "the cluster is usable", lambda: self._unmet(addresses) is None)

    def _wait(self, state: State, what: str, holds: Callable[[], bool]) -> None:
        def alive() -> None:
            for name, process in state.processes.items():
                if not process.alive():
                    raise RuntimeError(
                        f"{name} died while waiting until {what}. Should its data not have survived a crash, "
                        f"`down` and `up` make a new cluster.\n{tail(self._log(name))}"
                    )

        readiness.wait(what, holds, seconds=_PATIENCE, alive=alive)

    def _log(self, component: str) -> Path:
        return self._layout.logs / f"{component}.log"

    def _stop(self, state: State) -> None:
        """Ends every process of the cluster, then removes its cgroup, mounts and network; idempotent."""
        layout = self._layout
        owner = mounts.owner(layout)
        if owner is not None and owner != layout.state:
            raise RuntimeError(f"the running cluster {layout.name} belongs to {owner}, not to {layout.state}")
        # kubelet first, or it would start again what is being stopped. The rest of the cgroup are container
        # shims and the pods themselves: nothing else enters it.
        for name in reversed(COMPONENTS):
            if name in state.processes:
                state.processes[name].send(signal.SIGKILL)
        deadline = time.monotonic() + _GRACE
        while members := [p for p in map(Process.of, cgroups.members(layout.cgroup)) if p is not None]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"still running after SIGKILL: {sorted(process.pid for process in members)}")
            for process in members:
                process.send(signal.SIGKILL)
            time.sleep(0.02)
        cgroups.remove(layout.cgroup)
        mounts.delete(layout)
        network.delete(layout.netns, state.addresses)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._layout.state.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._layout.state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _nothing() -> None:
    """For a wait that nothing ends early."""
