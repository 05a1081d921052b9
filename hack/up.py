"""`make up`: a real cluster with Headgate on it, and a tenant's workflow run to recorded history."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from hack import example, image, install, packages, summary, volume
from hack.cluster.existing import ExistingContext
from hack.cluster.kubeconfig import write_private
from hack.cluster.local import LocalCluster
from hack.cluster.provider import ClusterProvider, choose
from hack.install import Database
from hack.kube import Kube
from hack.postgres import Server
from hack.record import CLUSTER_STATE, KUBECONFIG, LOGS, NAME, NAMESPACE, STATE, Record
from hack.steps import Progress, StepFailedError, TroubleError

_STEPS = 9
_AGAIN = "run `make up` again: it goes on where it stopped"


@dataclass(frozen=True)
class Wish:
    """What the caller gave; everything else is made here."""

    context: str | None
    image: str | None
    database: Database | None

    @classmethod
    def of(cls, context: str | None) -> Wish:
        """From the command line and the environment: IMAGE, DATABASE_URL, DATABASE_MIGRATION_URL."""
        url = os.environ.get("DATABASE_URL")
        database = Database(url, os.environ.get("DATABASE_MIGRATION_URL", url)) if url else None
        return cls(context, os.environ.get("IMAGE"), database)


def up(wish: Wish, progress: Progress) -> None:
    """Does every step. Raises `StepFailedError` at the first that fails."""
    provider = choose(NAME, CLUSTER_STATE, wish.context)
    with progress.step("System packages", "install what is named above, then " + _AGAIN):
        record = remember(provider, wish)
        if isinstance(provider, LocalCluster):
            packages.ensure("cluster", "image")
            if os.geteuid() != 0:
                raise TroubleError(
                    "a local cluster needs root, for namespaces and mounts", "sudo make up, or start Docker"
                )
    contexts = "`kubectl config get-contexts` lists the contexts that there are"
    with progress.step("Kubernetes", contexts if wish.context else _AGAIN):
        provider.up()
        write_private(KUBECONFIG, provider.kubeconfig.read_text())
        kube = Kube(KUBECONFIG)
        _look_around(kube, record)
    with progress.step("Postgres", _AGAIN):
        database = wish.database or _postgres(provider)
    with progress.step("Image", "see what the build says; behind a proxy, pip needs PIP_INDEX_URL or PIP_CERT"):
        tag, archive = (wish.image, None) if wish.image else _image()
    with progress.step("Image into the cluster", _AGAIN):
        if archive is not None and not kube.has_image(tag):
            provider.load_image(archive, tag)
    with progress.step("Chart", f"kubectl --kubeconfig {KUBECONFIG} get pods,events --namespace {NAMESPACE}"):
        install.namespace(kube)
        version = install.database_secret(kube, database)
        claim = volume.claim(kube, provider)
        if claim is None:
            print("no volume that all pods could share: each replica keeps the logs that it collects")
        changed = install.install(kube, install.values(kube, tag, version, claim))
    with progress.step("Examples", f"kubectl --kubeconfig {KUBECONFIG} describe workspaces"):
        example.apply_tenants(kube)
        example.apply_workflows(kube, tag)
    with progress.step("Workflow run"):
        run, is_new = example.run_once(kube, tag, progress.say)
        if not changed and not is_new:
            progress.say("      Nothing has changed: this is the run from before.")
    with progress.step("What happened"):
        parts = summary.collect(kube, run, database)
    summary.show(parts, progress.say)


def remember(provider: ClusterProvider, wish: Wish) -> Record:
    """Records what is about to be made. Refuses to mix two set-ups."""
    known = Record.load()
    wanted = Record(type(provider).__name__, wish.context, own_postgres=wish.database is None)
    if known and (known.provider, known.context) != (wanted.provider, wanted.context):
        where = f"the context {known.context}" if known.context else known.provider
        raise TroubleError(f"Headgate is already up on {where}", "`make down` first")
    if wish.context and not wish.image:
        raise TroubleError(
            "an existing cluster needs an image that it can pull",
            "`make image`, push the image to a registry, then `make up CONTEXT=... IMAGE=registry/headgate:tag`",
        )
    if known:
        postgres = known.own_postgres or wanted.own_postgres
        wanted = replace(known, own_postgres=postgres)
    wanted.save()
    return wanted


def _look_around(kube: Kube, record: Record) -> None:
    """Learns what was there before us. A release that is not ours is left alone."""
    if record.own_namespace is not None:
        return
    if elsewhere := install.releases(kube):
        Record.forget()
        raise TroubleError(
            f"the context {record.context} has a Headgate that `make up` did not install: {', '.join(elsewhere)}",
            "choose another cluster, or upgrade that one with helm",
        )
    own_namespace = kube.find("namespace", NAMESPACE) is None
    own_definitions = kube.find("crd", "workspaces.headgate.dev") is None
    replace(record, own_namespace=own_namespace, own_definitions=own_definitions).save()


def _postgres(provider: ClusterProvider) -> Database:
    try:
        server = Server(STATE, provider.host_address(), (provider.pod_cidr(),)).up()
    except RuntimeError as problem:
        if isinstance(provider, ExistingContext):
            raise TroubleError(str(problem), "or give DATABASE_URL, a Postgres that the cluster reaches") from problem
        raise
    urls = [(server.state / name).read_text().strip() for name in ("database-url", "database-migration-url")]
    return Database(*urls)


def _image() -> tuple[str, Path]:
    built = image.build()
    return image.full_name(built.tag), built.archive


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m hack.up", description=__doc__)
    parser.add_argument("--context", help="use this context of your kubeconfig instead of a cluster of our own")
    wish = Wish.of(parser.parse_args().context)
    progress = Progress(LOGS, _STEPS)
    started = time.monotonic()
    try:
        up(wish, progress)
    except StepFailedError:
        return 1
    progress.say(f"Up in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
