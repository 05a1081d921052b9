from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hack import pinned_python
from hack.chart_checks import Finding, critical, failed, judge
from hack.chart_exceptions import EXCEPTIONS, Excepted
from hack.shell import CommandError

FINDING = Finding("cpu-limit", "Deployment/apps/v1/ns/operator", "no limit")
EXCEPTED = Excepted("judge", "cpu-limit", "Deployment/*/operator", "It is right so.")


def scored(grade: int, *, skipped: bool = False) -> list[dict[str, Any]]:
    check = {"check": {"id": "probes"}, "grade": grade, "skipped": skipped, "comments": [{"summary": "none"}]}
    return [{"object_name": "Job/one", "checks": [check]}]


def test_only_what_is_critical_counts_of_kube_score() -> None:
    assert critical(scored(1)) == [Finding("probes", "Job/one", "none")]
    assert critical(scored(5)) == critical(scored(10)) == critical(scored(1, skipped=True)) == []


def test_all_that_checkov_finds_counts() -> None:
    check = {"check_id": "CKV_1", "resource": "Job.one", "check_name": "be good"}
    report = {"results": {"failed_checks": [check]}, "summary": {"parsing_errors": 0, "passed": 3}}

    assert failed(report) == [Finding("CKV_1", "Job.one", "be good")]


@pytest.mark.parametrize(
    "report",
    [
        {"passed": 0, "failed": 0, "parsing_errors": 0},
        {"results": {"failed_checks": []}, "summary": {"parsing_errors": 1, "passed": 3}},
        {"results": {"failed_checks": []}, "summary": {"parsing_errors": 0, "passed": 0}},
    ],
)
def test_a_report_about_nothing_is_no_pass(report: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="not understood"):
        failed(report)


def test_a_finding_needs_an_exception_of_its_check_program_and_object() -> None:
    judge("judge", [FINDING], [EXCEPTED])

    for other in (
        Excepted("someone", "cpu-limit", "*", ""),
        Excepted("judge", "memory-limit", "*", ""),
        Excepted("judge", "cpu-limit", "Job/*", ""),
    ):
        with pytest.raises(CommandError, match="cpu-limit, Deployment/apps/v1/ns/operator: no limit"):
            judge("judge", [FINDING], [other])


def test_an_exception_that_excepts_nothing_is_refused() -> None:
    with pytest.raises(CommandError, match="excepts nothing any more"):
        judge("judge", [], [EXCEPTED])


def test_every_exception_says_why() -> None:
    assert [exception for exception in EXCEPTIONS if not exception.why.endswith(".")] == []


def test_another_pin_gets_another_environment(tmp_path: Path) -> None:
    lock = tmp_path / "checkov.lock"
    lock.write_text("checkov==1 --hash=sha256:0\n")
    first = pinned_python.environment(lock, tmp_path)
    again = pinned_python.environment(lock, tmp_path)
    lock.write_text("checkov==2 --hash=sha256:0\n")

    assert first == again
    assert pinned_python.environment(lock, tmp_path) != first
