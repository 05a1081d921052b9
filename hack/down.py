"""`make down`: removes everything that `make up` made, and only that. The logs stay."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from hack.cluster.existing import ExistingContext
from hack.cluster.provider import choose
from hack.example import EXAMPLES, WORKSPACES
from hack.kube import Kube
from hack.postgres import Server
from hack.record import CLUSTER_STATE, KUBECONFIG, LOGS, NAME, NAMESPACE, RELEASE, STATE, Record
from hack.steps import Progress, StepFailedError, TroubleError
from hack.volume import OURS

_AGAIN = "run `make down` again"
_LEFT_BY_POSTGRES = "postgres*", "database-*url", "install-*"


def down(record: Record, progress: Progress) -> None:
    """Does every step. Raises `StepFailedError` at the first that fails."""
    provider = choose(NAME, CLUSTER_STATE, record.context)
    if isinstance(provider, ExistingContext):
        with progress.step("Headgate in the cluster", _AGAIN):
            if KUBECONFIG.exists():
                _uninstall(Kube(KUBECONFIG), record)
    with progress.step("Kubernetes", _AGAIN):
        if type(provider).__name__ != record.provider:
            raise TroubleError(f"this was brought up by {record.provider}, which is not available now")
        provider.down()
    with progress.step("Postgres", _AGAIN):
        if record.own_postgres:
            _remove(Server(STATE))
    with progress.step("Files", _AGAIN):
        shutil.rmtree(STATE / "examples", ignore_errors=True)
        KUBECONFIG.unlink(missing_ok=True)
        Record.forget()


def _uninstall(kube: Kube, record: Record) -> None:
    """Takes the examples, the release and, where they are ours alone, definitions and namespace from a cluster."""
    if kube.succeeds("get", "crd", "workspaces.headgate.dev"):
        for workspace in WORKSPACES:
            kube.kubectl("delete", "--ignore-not-found", "-k", str(EXAMPLES / workspace), "--timeout=120s")
        kube.kubectl("delete", "--ignore-not-found", "-k", str(EXAMPLES / "tenants"), "--timeout=120s")
        for workspace in WORKSPACES:
            # Deleting a Workspace leaves its namespace; ours are known by the label that Headgate gave them.
            chosen = f"--selector=app.kubernetes.io/managed-by=headgate,headgate.dev/workspace={workspace}"
            kube.kubectl("delete", "namespace", chosen, "--timeout=120s")
    kube.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait", "--timeout=3m")
    chosen = ",".join(f"{key}={value}" for key, value in OURS.items())
    kube.kubectl("delete", "persistentvolumeclaim", f"--namespace={NAMESPACE}", f"--selector={chosen}", "--timeout=60s")
    if record.own_definitions:
        _delete_definitions(kube)
    if record.own_namespace:
        kube.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")


def _delete_definitions(kube: Kube) -> None:
    """The definitions that came with us, unless somebody made resources of them since."""
    found = [each["metadata"]["name"] for each in kube.get("crds")["items"] if each["spec"]["group"] == "headgate.dev"]
    in_use = [name for name in found if kube.get(name, "--all-namespaces")["items"]]
    if in_use:
        print(f"left in place, as there are resources of others: {', '.join(in_use)}")
    elif found:
        kube.kubectl("delete", "crd", *found, "--timeout=60s")


def _remove(server: Server) -> None:
    """Stops Postgres and removes its data, which may lie outside of the checkout."""
    server.down()
    home = server.data.parent
    if server.log.exists():
        LOGS.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(server.log, LOGS / "postgres.log")
    if home != STATE:
        shutil.rmtree(home, ignore_errors=True)
    if server.socket_directory.exists():
        shutil.rmtree(server.socket_directory)
    for pattern in _LEFT_BY_POSTGRES:
        for path in STATE.glob(pattern):
            _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def main() -> int:
    """The command; returns its exit code."""
    record = Record.load()
    if record is None:
        print("Nothing is up.")
        return 0
    progress = Progress(LOGS / "down", 4 if record.context else 3)
    try:
        down(record, progress)
    except StepFailedError:
        return 1
    progress.say("Down.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
