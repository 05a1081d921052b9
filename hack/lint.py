"""`make lint`: everything that can be checked without running the product."""

from __future__ import annotations

import sys
from pathlib import Path

from hack import chart_checks
from hack.install import CHART
from hack.record import LOGS, ROOT
from hack.shell import CommandError, run
from hack.steps import Progress, StepFailedError
from hack.tools import tool

_BIN = Path(sys.executable).parent
_CHART_ADVICE = "mend the chart, or say in hack/chart_exceptions.py why it is right as it is"
_PACKAGES = ("headgate", "hack", "tests", "benchmarks")
_REFUSED = ("operator.replica=2", "operator.replicas=many", "operator.logLevel=loud", "image.digest=short")


def lint(progress: Progress) -> list[str]:
    """Runs every check, and names those that failed."""
    checks = (
        ("Style", lambda: run(_BIN / "ruff", "check", ROOT), "`make format` mends most of it"),
        ("Form", lambda: run(_BIN / "ruff", "format", "--check", ROOT), "`make format`"),
        ("Types", _types, "mypy's messages above say where"),
        ("Layers", lambda: run(_BIN / "lint-imports"), "see section 2 of docs/development.md for what may import what"),
        ("Generated files", lambda: run(sys.executable, "-m", "hack.generate", "--check"), "`make generate`"),
        ("Helm", lambda: tool("helm"), "it is compiled once, with Go 1.26 or newer"),
        ("Chart", lambda: run(tool("helm"), "lint", "--strict", CHART), "helm's messages above say where"),
        ("Values of the chart", _values, "values.schema.json and values.yaml have to agree"),
        ("kube-score", chart_checks.kube_score, _CHART_ADVICE),
        ("checkov", chart_checks.checkov, _CHART_ADVICE),
    )
    failed = []
    for name, check, advice in checks:
        try:
            with progress.step(name, advice):
                check()
        except StepFailedError:
            failed.append(name)
    return failed


def _types() -> None:
    present = [name for name in _PACKAGES if (ROOT / name).is_dir() or (ROOT / "operator" / name).is_dir()]
    run(_BIN / "mypy", *(f"--package={name}" for name in present))


def _values() -> None:
    """The defaults render, with and without a database; values that mean nothing are refused."""
    helm = tool("helm")
    run(helm, "template", CHART)
    run(helm, "template", CHART, "--set=database.existingSecret=headgate-database,networkPolicy.enabled=true")
    run(helm, "template", CHART, "--set=metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true")
    for value in _REFUSED:
        try:
            run(helm, "template", CHART, f"--set={value}")
        except CommandError:
            continue
        raise CommandError(f"the schema lets {value} pass")


def main() -> int:
    """The command; returns its exit code."""
    progress = Progress(LOGS / "lint", 10)
    failed = lint(progress)
    progress.say(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
