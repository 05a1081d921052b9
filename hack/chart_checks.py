"""Judges the rendered chart with kube-score and checkov: every finding is mended, or excepted with its reason."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack import pinned_python
from hack.chart_exceptions import EXCEPTIONS, Excepted
from hack.install import CHART
from hack.record import NAMESPACE, RELEASE
from hack.shell import CommandError, run
from hack.tools import tool

# Everything that the chart can make, so that nothing of it goes unseen.
_SETTINGS = (
    "database.existingSecret=headgate-database",
    "networkPolicy.enabled=true",
    "networkPolicy.gatewayFrom[0].namespaceSelector.matchLabels.edge=yes",
    "gateway.autoscaling.enabled=true",
    "gateway.ingress.enabled=true",
    "gateway.ingress.host=headgate.example",
    "gateway.ingress.tlsSecret=headgate-tls",
    "gateway.httpRoute.enabled=true",
    "gateway.httpRoute.parentRefs[0].name=public",
    "metrics.serviceMonitor.enabled=true",
    "metrics.prometheusRule.enabled=true",
)
_APIS = ("admissionregistration.k8s.io/v1/MutatingAdmissionPolicy",)
_CRITICAL = 1


@dataclass(frozen=True, order=True)
class Finding:
    """What one of the programs finds wrong with one object."""

    check: str
    target: str
    """The object, as the program names it."""
    says: str


def kube_score() -> None:
    """Raises ``CommandError`` that names what kube-score calls critical and nobody excepted."""
    with tempfile.TemporaryDirectory() as scratch:
        # It ends with 1 where it finds something, as it does when it fails; only in the first case it prints JSON.
        text = _output(tool("kube-score"), "score", "--output-format=json", _rendered(Path(scratch)))
    judge("kube-score", critical(json.loads(text)))


def checkov() -> None:
    """Raises ``CommandError`` that names what checkov calls failed and nobody excepted. It asks no server anything."""
    program = pinned_python.program("checkov")
    options = ("--framework=kubernetes", "--skip-download", "--quiet", "--compact", "--soft-fail", "--output=json")
    with tempfile.TemporaryDirectory() as scratch:
        text = run(program, *options, f"--file={_rendered(Path(scratch))}")
    judge("checkov", failed(json.loads(text)))


def critical(report: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """The critical ones in kube-score's report."""
    return [
        Finding(check["check"]["id"], item["object_name"], "; ".join(c["summary"] for c in check["comments"] or ()))
        for item in report
        for check in item["checks"]
        if not check["skipped"] and check["grade"] <= _CRITICAL
    ]


def failed(report: Mapping[str, Any]) -> list[Finding]:
    """All in checkov's report: how bad each is, it tells only to those who log in. Raises where it could not read."""
    if not report.get("results") or report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        raise CommandError(f"checkov has not understood the chart: {report.get('summary', report)}")
    return [Finding(c["check_id"], c["resource"], c["check_name"]) for c in report["results"]["failed_checks"]]


def judge(program: str, findings: Iterable[Finding], exceptions: Iterable[Excepted] = EXCEPTIONS) -> None:
    """Raises ``CommandError`` for findings without an exception, and for exceptions without a finding."""
    ours = [exception for exception in exceptions if exception.program == program]
    found = sorted(findings)
    open_ones = [f for f in found if not any(e.covers(f.check, f.target) for e in ours)]
    stale = [e for e in ours if not any(e.covers(f.check, f.target) for f in found)]
    complaints = [f"{f.check}, {f.target}: {f.says}" for f in open_ones]
    complaints += [f"the exception {e.check} for {e.target} excepts nothing any more" for e in stale]
    if complaints:
        raise CommandError("\n".join(complaints))
    print(f"{program}: nothing but {len(found)} findings that are excepted")


def _rendered(folder: Path) -> Path:
    file = folder / "chart.yaml"
    options = (*(f"--set={setting}" for setting in _SETTINGS), *(f"--api-versions={api}" for api in _APIS))
    file.write_text(run(tool("helm"), "template", RELEASE, CHART, f"--namespace={NAMESPACE}", *options))
    return file


def _output(*argv: str | Path) -> str:
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, check=False)
    if not done.stdout.lstrip().startswith("["):
        raise CommandError(f"{argv[0]}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
