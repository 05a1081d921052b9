"""Applies the examples, starts one of their workflows and follows it to its end."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hack.install import image_values
from hack.kube import Kube
from hack.record import ROOT, STATE
from hack.shell import CommandError
from hack.steps import TroubleError

EXAMPLES = ROOT / "manifests" / "examples"
WORKSPACES = ("acme", "globex")
WORKFLOWS = {"acme": "sales-report", "globex": "log-triage"}
FOLLOWED = "acme"
_LABEL = "quick-start"
_FINAL = ("Succeeded", "Failed", "Cancelled")
_PATIENCE_SECONDS = 300.0
_SETTLING_SECONDS = 30.0
# The API server makes room for a new kind; the controller of ResourceQuotas counts what there is in a new namespace.
_SETTLING = ("storage is (re)initializing", "status unknown for quota")


def apply_tenants(kube: Kube) -> None:
    """The Quota and the Workspaces; returns when their namespaces are ready."""
    _apply(kube, EXAMPLES / "tenants")
    _wait_ready(kube, *(f"workspace/{name}" for name in WORKSPACES))


def apply_workflows(kube: Kube, image: str) -> None:
    """The Workflows with the data and scripts that they use, on the image that the cluster has."""
    for workspace, workflow in WORKFLOWS.items():
        _apply(kube, _overlay(workspace, image))
        _wait_ready(kube, f"--namespace={workspace}", f"workflow/{workflow}")


def _apply(kube: Kube, folder: Path) -> None:
    """Applies a kustomization, with patience for what a cluster says of kinds that are new to it."""
    deadline = time.monotonic() + _SETTLING_SECONDS
    while True:
        try:
            print(kube.kubectl("apply", "--server-side", "-k", str(folder)), flush=True)
        except CommandError as problem:
            if not any(words in str(problem) for words in _SETTLING) or time.monotonic() > deadline:
                raise
            print(problem, flush=True)
            time.sleep(1)
        else:
            return


def _wait_ready(kube: Kube, *what: str) -> None:
    try:
        kube.kubectl("wait", "--for=condition=Ready", "--timeout=60s", *what)
    except CommandError as problem:
        raise TroubleError(f"{problem}\n{kube.kubectl('get', '--output=wide', *what)}") from problem


def _overlay(workspace: str, image: str) -> Path:
    """A kustomization that puts our image into the nodes that name none of their own."""
    folder = STATE / "examples" / workspace
    folder.mkdir(parents=True, exist_ok=True)
    parts = image_values(image)
    wanted = {"name": "headgate", "newName": parts["repository"], "newTag": parts["tag"], "digest": parts["digest"]}
    fields = {"images": [{"kind": "Workflow", "path": "spec/nodes/config/container/image"}]}
    (folder / "fields.yaml").write_text(yaml.safe_dump(fields))
    kustomization = {
        "resources": [os.path.relpath(EXAMPLES / workspace, folder)],
        "configurations": ["fields.yaml"],
        "images": [{key: value for key, value in wanted.items() if value}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


@dataclass(frozen=True)
class Run:
    """A WorkflowRun as the API server last told it."""

    document: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def status(self) -> dict[str, Any]:
        return self.document.get("status") or {}

    @property
    def phase(self) -> str:
        return str(self.status.get("phase") or "Pending")

    @property
    def run_id(self) -> str:
        return str(self.status.get("runId") or "")

    @property
    def nodes(self) -> list[dict[str, Any]]:
        return list(self.status.get("nodes") or [])

    @property
    def is_final(self) -> bool:
        return self.phase in _FINAL


def run_once(kube: Kube, image: str, say: Callable[[str], None]) -> tuple[Run, bool]:
    """The run of these examples on this image, followed to its end, and whether it is new.

    What has been done already is not done again: an earlier run that succeeded is the answer.
    """
    namespace, workflow = FOLLOWED, WORKFLOWS[FOLLOWED]
    label = _content(image)
    earlier = kube.get("workflowruns", f"--namespace={namespace}", f"--selector={_LABEL}={label}")["items"]
    for found in earlier:
        if Run(found).phase == "Succeeded":
            return Run(found), False
    unfinished = [Run(found) for found in earlier if not Run(found).is_final]
    name = unfinished[0].name if unfinished else _create(kube, workflow, label)
    say(f"      WorkflowRun {namespace}/{name}")
    return follow(kube, namespace, name, say), True


def _create(kube: Kube, workflow: str, label: str) -> str:
    manifest = yaml.safe_load((EXAMPLES / "runs" / f"{workflow}.yaml").read_text())
    manifest["metadata"]["labels"] = {_LABEL: label}
    created = json.loads(kube.kubectl("create", "--output=json", "-f", "-", stdin=json.dumps(manifest)))
    return str(created["metadata"]["name"])


def follow(kube: Kube, namespace: str, name: str, say: Callable[[str], None]) -> Run:
    """Tells each change of a node as it comes. Raises `TroubleError` when the run does not succeed in time."""
    started = time.monotonic()
    told: dict[str, str] = {}
    last: Run | None = None
    for document in kube.watch("workflowrun", name, f"--namespace={namespace}"):
        last = Run(document)
        for node, words in _words(last):
            if told.get(node) != words:
                told[node] = words
                say(f"      {time.monotonic() - started:5.1f} s  {node:<12} {words}")
        if last.is_final or time.monotonic() - started > _PATIENCE_SECONDS:
            break
    if last is None or last.phase != "Succeeded":
        raise TroubleError(
            f"WorkflowRun {namespace}/{name} is {last.phase if last else 'not there'}",
            f"kubectl describe workflowrun {name} --namespace {namespace}; kubectl get pods --namespace {namespace}",
        )
    return last


def _words(run: Run) -> list[tuple[str, str]]:
    waiting = {found.get("node"): found for found in run.status.get("waitingFor") or []}
    told = []
    for node in run.nodes:
        if node["phase"] == "Pending":
            continue
        words = str(node["phase"])
        if node.get("attempt", 0) > 1:
            words += f", attempt {node['attempt']}"
        if reason := node.get("reason") or waiting.get(node["id"], {}).get("reason"):
            words += f" ({reason})"
        told.append((str(node["id"]), words))
    if not told and None in waiting:
        told.append((run.name, f"{run.phase} ({waiting[None]['reason']})"))
    return told


def _content(image: str) -> str:
    """Differs whenever the image or an example does."""
    digest = hashlib.sha256(image.encode())
    for path in sorted(EXAMPLES.rglob("*")):
        if path.is_file():
            digest.update(f"\0{path.relative_to(EXAMPLES)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
