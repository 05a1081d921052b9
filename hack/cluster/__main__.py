"""`python3 -m hack.cluster VERB`: builds, starts and stops a real Kubernetes on this machine."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hack import packages
from hack.cluster import build
from hack.cluster.components import COMPONENTS
from hack.cluster.local import LocalCluster
from hack.cluster.state import State
from hack.shell import CommandError


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; its failures are one message, not a traceback."""
    asked = _parser().parse_args(arguments)
    try:
        return _VERBS[asked.verb](asked)
    except (CommandError, OSError, RuntimeError, ValueError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m hack.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build", help="compile what the cache does not hold")
    path = verbs.add_parser("path", help="print where a program is: kubectl, helm, ...")
    path.add_argument("program", choices=sorted(build.LOCAL))
    per_cluster = {
        "up": "start what does not run, and wait until the cluster is usable",
        "down": "stop and remove everything except the logs",
        "status": "what runs; exits with 1 unless the cluster is usable",
        "load-image": "give the node an image",
        "restart": "kill a component as a crash would, and start it again",
    }
    for verb, words in per_cluster.items():
        added = verbs.add_parser(verb, help=words)
        added.add_argument("--name", help="the cluster's name; needed only while the folder holds none")
        added.add_argument("--state", type=Path, required=True, help="the cluster's folder")
        if verb == "load-image":
            added.add_argument("archive", type=Path, help="a docker or OCI archive")
        if verb == "restart":
            added.add_argument("component", choices=COMPONENTS)
            added.add_argument("--absent", type=float, default=0.0, help="seconds until it is started again")
    return parser


def _build(_: argparse.Namespace) -> int:
    packages.ensure("cluster")
    build.build()
    return 0


def _path(asked: argparse.Namespace) -> int:
    print(build.program(asked.program))
    return 0


def _cluster(asked: argparse.Namespace) -> LocalCluster:
    name = asked.name or State.recorded_name(asked.state)
    if name is None:
        raise ValueError(f"{asked.state} holds no cluster: give a --name")
    return LocalCluster(name, asked.state)


def _up(asked: argparse.Namespace) -> int:
    started = time.monotonic()
    cluster = _cluster(asked)
    cluster.up()
    print(f"up after {time.monotonic() - started:.1f} s; KUBECONFIG={cluster.kubeconfig}")
    return 0


def _down(asked: argparse.Namespace) -> int:
    if asked.name or State.recorded_name(asked.state):
        _cluster(asked).down()
    return 0


def _status(asked: argparse.Namespace) -> int:
    told = _cluster(asked).status()
    for name, words in told.items():
        print(f"{name:<24} {words}")
    return 0 if told["cluster"] == "usable" else 1


def _load_image(asked: argparse.Namespace) -> int:
    for tag in _cluster(asked).load_archive(asked.archive):
        print(tag)
    return 0


def _restart(asked: argparse.Namespace) -> int:
    _cluster(asked).restart(asked.component, absent=asked.absent)
    return 0


_VERBS = {
    "build": _build,
    "path": _path,
    "up": _up,
    "down": _down,
    "status": _status,
    "load-image": _load_image,
    "restart": _restart,
}

if __name__ == "__main__":
    sys.exit(main())
