"""Compiles the pinned Kubernetes, etcd, CoreDNS and Helm from their Go modules, once per version."""

from __future__ import annotations

import fcntl
import hashlib
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import toolchain
from hack.cluster.paths import MODULES, cache_root


@dataclass(frozen=True)
class Module:
    """A folder under `modules/` with a go.mod of its own, and the programs to build from it."""

    name: str
    requires: str
    programs: dict[str, str]
    tags: str = ""
    """By which parts of it are left out."""

    @property
    def folder(self) -> Path:
        """The folder that holds the module's go.mod and go.sum."""
        return MODULES / self.name

    def version(self) -> str:
        """The pinned version, read from go.mod so that it is written in one place only."""
        pattern = rf"(?m)^(?:require)?\s+{re.escape(self.requires)} (v\S+)"
        found = re.search(pattern, (self.folder / "go.mod").read_text())
        if found is None:
            raise ValueError(f"{self.folder / 'go.mod'} does not require {self.requires}")
        return found.group(1)

    def target(self) -> Path:
        """The cache folder of these programs: another pin, or another source where it is ours, another folder."""
        pins = hashlib.sha256()
        for path in (self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.rglob("*.go"))):
            pins.update(path.read_bytes())
        return cache_root() / "bin" / f"{self.name}-{self.version()}-{pins.hexdigest()[:12]}"

    def ldflags(self) -> str:
        """Linker flags: no debug tables, and for Kubernetes the version that it reports."""
        flags = "-s -w"
        if self.name == "kubernetes":
            version = self.version()
            major, minor = version.removeprefix("v").split(".")[:2]
            stamp = {
                "gitVersion": version,
                "gitMajor": major,
                "gitMinor": minor,
                "gitTreeState": "clean",
            }
            # kubectl and the servers read the first package, client-go's user agent the second.
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
                flags += "".join(f" -X {package}.{key}={value}" for key, value in stamp.items())
        return flags


KUBERNETES = Module(
    name="kubernetes",
    requires="k8s.io/kubernetes",
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    },
)
ETCD = Module("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"})
COREDNS = Module("coredns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"})
HELM = Module("helm", "helm.sh/helm/v4", {"helm": "helm.sh/helm/v4/cmd/helm"})
KIND = Module("kind", "sigs.k8s.io/kind", {"kind": "sigs.k8s.io/kind"})
CYCLONUS = Module(
    "cyclonus", "github.com/mattfenwick/cyclonus", {"cyclonus": "github.com/mattfenwick/cyclonus/cmd/cyclonus"}
)
KUBE_ROUTER = Module(
    "kube-router",
    "github.com/cloudnativelabs/kube-router/v2",
    {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"},
)
KUBE_SCORE = Module(
    "kube-score", "github.com/zegl/kube-score", {"kube-score": "github.com/zegl/kube-score/cmd/kube-score"}
)
# It judges rules of alerts, and asks nobody where there is anything to be measured.
PROMTOOL = Module(
    "promtool",
    "github.com/prometheus/prometheus",
    {"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
    tags="remove_all_sd",
)
DOUBLES = Module("doubles", "github.com/twmb/franz-go/pkg/kfake", {"kafka-double": "./kafka", "s3-double": "./s3"})
# What benchmarks compare Headgate with.
TEMPORAL = Module(
    "temporal",
    "go.temporal.io/server",
    {
        "temporal-server": "go.temporal.io/server/cmd/server",
        "temporal-sql-tool": "go.temporal.io/server/cmd/tools/sql",
    },
)
# What a local cluster and its users always need, and what is compiled when someone asks for it.
_ALWAYS = (ETCD, KUBERNETES, COREDNS, HELM)
_OWNERS = {
    name: module
    for module in (*_ALWAYS, KIND, CYCLONUS, KUBE_ROUTER, KUBE_SCORE, PROMTOOL, DOUBLES, TEMPORAL)
    for name in module.programs
}
LOCAL = tuple(name for module in _ALWAYS for name in module.programs)


def program(name: str) -> Path:
    """Where the program of this name is, or will be once it is built."""
    return _OWNERS[name].target() / name


def missing(names: tuple[str, ...] = LOCAL) -> list[str]:
    """Those of the programs that are not in the cache."""
    return [name for name in names if not program(name).exists()]


def build(names: tuple[str, ...] = LOCAL) -> None:
    """Compiles those of the programs that are missing; does not even start `go` when none is."""
    if not missing(names):
        return
    with _only_one_builder():
        todo = missing(names)
        for number, name in enumerate(todo, 1):
            started = time.monotonic()
            print(f"[{number}/{len(todo)}] building {name} {_OWNERS[name].version()} ...", flush=True)
            _compile(_OWNERS[name], name)
            print(f"[{number}/{len(todo)}] {name}: {time.monotonic() - started:.0f} s", flush=True)


def _compile(module: Module, name: str) -> None:
    target = module.target()
    target.mkdir(parents=True, exist_ok=True)
    # Built beside its final place and renamed: an interrupted build leaves nothing that looks whole.
    with tempfile.TemporaryDirectory(dir=target, prefix=".build-") as scratch:
        output = Path(scratch) / name
        go, environment = toolchain.go(module.folder)
        subprocess.run(
            [
                *go,
                "build",
                "-trimpath",
                "-mod=readonly",
                f"-tags={module.tags}",
                f"-ldflags={module.ldflags()}",
                f"-o={output}",
                module.programs[name],
            ],
            cwd=module.folder,
            env=environment,
            check=True,
        )
        output.rename(target / name)


@contextmanager
def _only_one_builder() -> Iterator[None]:
    folder = cache_root() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
