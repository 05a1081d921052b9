"""Installs the chart, and leaves an installation alone that already is as wanted."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.kube import Kube
from hack.record import NAMESPACE, RELEASE, ROOT
from hack.shell import CommandError

CHART = ROOT / "charts" / "headgate"
SECRET = "headgate-database"
_TIMEOUT = "3m"
_LOOK_SECONDS = 5.0
_COUNTED = "count/workflows.headgate.dev"
_COUNTED_WITHIN_SECONDS = 90.0


@dataclass(frozen=True)
class Database:
    """The two logins to Postgres. Never printed."""

    url: str
    migration_url: str

    def __repr__(self) -> str:
        return "Database(...)"


def namespace(kube: Kube) -> None:
    """Makes Headgate's own namespace, which lets in only pods of the restricted level."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})


def database_secret(kube: Kube, database: Database) -> str:
    """Makes the Secret that the chart names; returns its version, which changes exactly when its content does."""
    data = {"url": database.url, "migrationUrl": database.migration_url}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": SECRET, "namespace": NAMESPACE}
    kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded})
    version: str = kube.get("secret", SECRET, f"--namespace={NAMESPACE}")["metadata"]["resourceVersion"]
    return version


def values(kube: Kube, image: str, secret_version: str, claim: str | None = None) -> dict[str, Any]:
    """The chart's values for this cluster. Where there is no claim, every replica keeps logs of its own."""
    # Pods read the Secret when they start: another version of it takes other pods.
    restarting = {"podAnnotations": {"headgate.dev/database-secret-version": secret_version}}
    return {
        "image": image_values(image),
        "database": {"existingSecret": SECRET},
        **({"objectStore": {"existingClaim": claim}} if claim is not None else {}),
        "operator": {**restarting, "dnsAddresses": _dns_addresses(kube)},
        "gateway": restarting,
    }


def install(kube: Kube, wanted: dict[str, Any]) -> bool:
    """Installs or upgrades, and waits until Headgate can be used. Returns whether anything had to be done."""
    digest = _digest(CHART, wanted)
    release = _release(kube)
    if release and release["info"]["status"] == "deployed" and release["info"].get("description") == digest:
        kube.kubectl("rollout", "status", f"--namespace={NAMESPACE}", f"deployment/{RELEASE}-operator", "--timeout=60s")
        return False
    _clear_interrupted(kube, release)
    command = ("upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--values=-")
    # Definitions outlive the release that brought them, whose name they keep; another release has to take them over.
    options = ("--wait", "--take-ownership", f"--timeout={_TIMEOUT}", f"--description={digest}")
    try:
        with ThreadPoolExecutor(1) as background:
            helm = background.submit(kube.helm, *command, *options, stdin=json.dumps(wanted))
            while wait([helm], _LOOK_SECONDS).not_done:
                print(_pods(kube), flush=True)
            helm.result()
    except CommandError:
        _show_why(kube)
        raise
    _wait_until_counted(kube)
    return True


def releases(kube: Kube) -> list[str]:
    """Every installation of the chart in the cluster, as namespace/name."""
    found = json.loads(kube.helm("list", "--all-namespaces", "--output=json"))
    ours = [each for each in found if each["chart"].rpartition("-")[0] == CHART.name]
    return sorted(f"{each['namespace']}/{each['name']}" for each in ours)


def image_values(reference: str) -> dict[str, str]:
    """``repository:tag@digest`` in the parts that the chart takes."""
    name, _, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    return {"repository": repository, "tag": tag, "digest": digest, "pullPolicy": "IfNotPresent"}


def _dns_addresses(kube: Kube) -> list[str]:
    """Addresses of the cluster's DNS where it is not made of the usual pods, which the chart knows by their label."""
    if kube.get("pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns")["items"]:
        return []
    slices = kube.get("endpointslices", "--namespace=kube-system", "--selector=kubernetes.io/service-name=kube-dns")
    ends = [end for found in slices["items"] for end in found.get("endpoints") or []]
    return sorted({address for end in ends for address in end["addresses"]})


def _digest(chart: Path, wanted: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode())
    for path in sorted(chart.rglob("*")):
        if path.is_file():
            digest.update(f"\0{path.relative_to(chart)}\0".encode() + path.read_bytes())
    return f"quick start {digest.hexdigest()[:16]}"


def _release(kube: Kube) -> dict[str, Any] | None:
    """What helm knows of the release, or None when there is none."""
    try:
        told = kube.helm("status", RELEASE, f"--namespace={NAMESPACE}", "--output=json")
    except CommandError as problem:
        if "not found" in str(problem):
            return None
        raise
    found: dict[str, Any] = json.loads(told)
    return found


def _clear_interrupted(kube: Kube, release: dict[str, Any] | None) -> None:
    """A helm that was killed leaves its release locked."""
    status = release["info"]["status"] if release else ""
    if status == "pending-install":
        kube.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--no-hooks", "--wait")
    elif status.startswith("pending-"):
        kube.helm("rollback", RELEASE, f"--namespace={NAMESPACE}", "--no-hooks")


def _wait_until_counted(kube: Kube) -> None:
    """Returns when the cluster's ResourceQuotas count Workflows, a kind that may be new to it.

    The controller of ResourceQuotas learns of new kinds every 30 seconds, and a quota that was made before that is not
    looked at again for five minutes: until then the API server refuses every Workflow there.
    """
    probe = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "quick-start-probe", "namespace": NAMESPACE},
        "spec": {"hard": {_COUNTED: "0"}},
    }
    where = ("resourcequota", "quick-start-probe", f"--namespace={NAMESPACE}")
    deadline = time.monotonic() + _COUNTED_WITHIN_SECONDS
    while True:
        kube.apply(probe)
        time.sleep(1)
        counted = _COUNTED in kube.get(*where).get("status", {}).get("used", {})
        kube.kubectl("delete", *where)
        if counted:
            return
        if time.monotonic() > deadline:
            raise CommandError(f"ResourceQuotas do not count {_COUNTED} after {_COUNTED_WITHIN_SECONDS:.0f} s")
        print("waiting for ResourceQuotas to count Workflows", flush=True)


def _pods(kube: Kube) -> str:
    """One line about the release's pods."""
    columns = "--output=custom-columns=:metadata.name,:status.phase,:status.containerStatuses[*].state.waiting.reason"
    try:
        told = kube.kubectl("get", "pods", f"--namespace={NAMESPACE}", columns, "--no-headers")
    except CommandError as problem:
        return str(problem)
    return "; ".join(" ".join(line.replace("<none>", "").split()) for line in told.splitlines())


def _show_why(kube: Kube) -> None:
    """Puts into the step's log what the pods say."""
    pods = f"--selector=app.kubernetes.io/instance={RELEASE}"
    for arguments in (
        ("get", "pods", f"--namespace={NAMESPACE}"),
        ("get", "events", f"--namespace={NAMESPACE}", "--field-selector=type=Warning", "--sort-by=.lastTimestamp"),
        ("logs", f"--namespace={NAMESPACE}", pods, "--prefix", "--tail=10"),
    ):
        try:
            print(kube.kubectl(*arguments))
        except CommandError as problem:
            print(problem)
