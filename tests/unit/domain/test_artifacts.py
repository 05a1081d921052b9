from __future__ import annotations

import re
from uuid import UUID

import pytest

from headgate.domain.artifacts import (
    NAME_PATTERN,
    artifact_folder,
    artifact_path,
    content_type,
    is_name,
    misnamed,
    sending_seconds,
)
from headgate.domain.step_log import log_path
from headgate.domain.task import TaskRef

REF = TaskRef(UUID(int=1), UUID("0195807f-0000-7000-8000-000000000001"), "work.3", 2)


@pytest.mark.parametrize("name", ["a", "report.csv", "A_b-c.tar.gz", "_", "0", "x" * 128])
def test_a_plain_name_is_kept(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".env",
        "-rf",
        "a/b",
        "../a",
        "/a",
        "a\\b",
        "a b",
        "a\n",
        "a\0",
        "é",
        "x" * 129,
        "\udcff",
        'a"',
    ],
)
def test_any_other_is_not_and_is_told_in_plain_characters(name: str) -> None:
    assert not is_name(name)
    assert misnamed(name).isascii()
    assert "\n" not in misnamed(name)


def test_requests_and_paths_have_the_same_form() -> None:
    assert NAME_PATTERN.startswith("^")
    assert NAME_PATTERN.endswith("$")
    assert re.compile(NAME_PATTERN[1:-1]).fullmatch("report.csv")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("report.CSV", "text/csv"),
        ("page.html", "text/html"),
        ("csv", "text/csv"),
        ("a.csv.exe", "application/octet-stream"),
        ("noending.", "application/octet-stream"),
    ],
)
def test_its_content_is_told_by_the_end_of_its_name(name: str, kind: str) -> None:
    assert content_type(name) == kind


def test_it_lies_beside_its_attempts_log_under_a_name_of_its_own() -> None:
    first, second = (artifact_path(REF, UUID(int=number)) for number in (1, 2))

    assert first != second
    assert first.startswith(f"{artifact_folder(REF)}/")
    assert artifact_folder(REF) == log_path(REF).removesuffix(".log") + ".artifacts"


def test_the_larger_it_is_the_longer_it_may_take() -> None:
    assert sending_seconds(0) == 30.0
    assert sending_seconds(64 * 2**20) == 286.0
