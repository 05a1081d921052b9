"""The archive's form."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from headgate.domain.archive import (
    ArchivedFile,
    Manifest,
    ManifestInvalid,
    Sized,
    SizedEntry,
    cut,
    files_of_record,
    files_to_record,
    last_round,
    leading,
    month_of,
    next_month,
    pages,
    part_path,
    stored_bytes,
)

WORKSPACE, PART, RUN = UUID(int=1), UUID(int=2), UUID(int=3)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def sized(*bytes_: int) -> list[Sized]:
    return [Sized(UUID(int=number), NOON, 1, size) for number, size in enumerate(bytes_)]


def test_a_part_has_as_many_runs_as_fit_and_one_at_least() -> None:
    assert cut(sized(5, 5, 5), most_bytes=10, most_steps=100) == sized(5, 5)
    assert cut(sized(50, 5), most_bytes=10, most_steps=100) == sized(50)
    assert cut(sized(1, 1, 1), most_bytes=10, most_steps=2) == sized(1, 1)
    assert cut([], most_bytes=10, most_steps=2) == []


def test_pages_have_all_runs_in_their_order() -> None:
    runs = sized(5, 5, 50, 1, 1, 9)
    found = list(pages(runs, most_bytes=10, most_steps=100))
    assert [run for page in found for run in page] == runs
    assert [len(page) for page in found] == [2, 1, 2, 1]


MARCH, APRIL = date(2026, 3, 1), datetime(2026, 4, 1, tzinfo=UTC)


def aged(*times: datetime) -> list[SizedEntry]:
    return [SizedEntry(number, at, 5) for number, at in enumerate(times, start=1)]


def test_entries_go_up_to_the_first_that_is_too_young_or_of_another_month() -> None:
    old, young = NOON, NOON + timedelta(days=2)
    entries = aged(old, old, young, old)
    assert leading(entries, month=MARCH, before=young, most_bytes=100) == entries[:2]
    assert leading(entries, month=MARCH, before=APRIL, most_bytes=100) == entries
    assert leading(entries, month=date(2026, 2, 1), before=APRIL, most_bytes=100) == []
    assert leading(aged(old, APRIL), month=MARCH, before=APRIL + timedelta(days=9), most_bytes=100) == aged(old)


def test_a_part_has_as_many_entries_as_fit_and_one_at_least() -> None:
    entries = aged(NOON, NOON, NOON)
    assert leading(entries, month=MARCH, before=APRIL, most_bytes=10) == entries[:2]
    assert leading(entries, month=MARCH, before=APRIL, most_bytes=1) == entries[:1]
    assert leading([], month=MARCH, before=APRIL, most_bytes=1) == []


def test_a_path_tells_the_content_and_where_it_belongs() -> None:
    path = part_path(WORKSPACE, "runs", date(2026, 3, 1), PART, b"content", "parquet")
    assert path == f"archive/{WORKSPACE}/runs/2026-03/{PART}/ed7002b439e9ac84.parquet"


def test_a_file_is_known_by_its_content() -> None:
    file = ArchivedFile.of("a", 1, b"content")
    assert file.fits(b"content")
    assert not file.fits(b"contenu")
    assert not file.fits(b"content ")


def test_what_postgres_keeps_of_files_gives_them_again() -> None:
    files = {"runs": ArchivedFile.of("a", 1, b"content")}
    assert files_of_record(json.loads(json.dumps(files_to_record(files)))) == files


def test_files_of_a_later_form_are_refused() -> None:
    with pytest.raises(ManifestInvalid, match="version 2"):
        files_of_record({"schemaVersion": 2, "files": {}})


def test_a_manifest_says_what_there_is() -> None:
    files = {"runs": ArchivedFile.of("a", 1, b"content")}
    said = json.loads(Manifest(WORKSPACE, PART, date(2026, 3, 1), {"firstRun": str(RUN)}, files).to_bytes())
    assert said["files"]["runs"] == vars(files["runs"])
    assert said["firstRun"] == str(RUN)
    assert said["month"] == "2026-03"


def test_months_are_those_of_utc() -> None:
    assert month_of(datetime.fromisoformat("2026-03-01T00:30:00+02:00")) == date(2026, 2, 1)
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 1)) == date(2026, 2, 1)


def test_a_round_is_due_at_two() -> None:
    assert last_round(NOON) == NOON.replace(hour=2)
    assert last_round(NOON.replace(hour=2)) == NOON.replace(hour=2)
    assert last_round(NOON.replace(hour=1)) == NOON.replace(day=9, hour=2)


@pytest.mark.parametrize(
    ("text", "bytes_"), [(None, 0), ("{}", 0), ("[]", 2), ('{"é": 1}', 9), ("null", 4), ("1" + "0" * 300, 301)]
)
def test_what_is_given_back_is_what_postgres_writes(text: str | None, bytes_: int) -> None:
    assert stored_bytes(text) == bytes_
