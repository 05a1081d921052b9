"""The archive's form: where parts lie, what their manifests say, and how many runs a part takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

SCHEMA_VERSION = 1
"""Of files and manifests. A reader refuses versions that it does not know, and takes columns that it does not know
for absent."""
RUNS, STEPS, ARTIFACTS, AUDIT, MANIFEST = "runs", "steps", "artifacts", "audit", "manifest"
"""Kinds of files. Manifests lie beside the runs, and beside entries of audit logs. A part whose runs left no artifacts
has no file of them."""
ROUND_HOUR = 2
"""The hour of UTC at which a daily round is due."""


class Form(StrEnum):
    """What a column of a file holds. Identifiers, decimals, lists and JSON are texts, as Postgres writes them."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"


class ManifestInvalid(ValueError):  # noqa: N818 - reads as what it says
    """What is recorded of a part's files cannot be understood; the message says why."""


@dataclass(frozen=True)
class ArchivedFile:
    """A file of a part."""

    path: str
    rows: int
    size: int
    """In bytes."""
    sha256: str

    @classmethod
    def of(cls, path: str, rows: int, content: bytes) -> ArchivedFile:
        """What is to be said of such a file."""
        return cls(path, rows, len(content), hashlib.sha256(content).hexdigest())

    def fits(self, content: bytes) -> bool:
        """Whether that is what was written."""
        return len(content) == self.size and hashlib.sha256(content).hexdigest() == self.sha256


@dataclass(frozen=True)
class Manifest:
    """What is in a part. It lies beside the part's files, for those who have the bucket and no database."""

    workspace_id: UUID
    part_id: UUID
    month: date
    bounds: Mapping[str, str | int]
    """Between which its runs or entries are, as the manifest names it."""
    files: Mapping[str, ArchivedFile]

    def to_bytes(self) -> bytes:
        """As it lies in the object store."""
        return json.dumps(
            {
                "schemaVersion": SCHEMA_VERSION,
                "workspaceId": str(self.workspace_id),
                "partId": str(self.part_id),
                "month": month_text(self.month),
                **self.bounds,
                "files": files_to_record(self.files)["files"],
            },
            indent=1,
        ).encode()


def files_to_record(files: Mapping[str, ArchivedFile]) -> dict[str, Any]:
    """What Postgres keeps of a part's files."""
    return {"schemaVersion": SCHEMA_VERSION, "files": {kind: vars(file) for kind, file in files.items()}}


def files_of_record(record: Mapping[str, Any]) -> dict[str, ArchivedFile]:
    """The files of a part by kind. Raises ``ManifestInvalid``."""
    if record.get("schemaVersion") != SCHEMA_VERSION:
        raise ManifestInvalid(f"the part has schema version {record.get('schemaVersion')}: a newer release reads it")
    return {kind: ArchivedFile(**file) for kind, file in record["files"].items()}


def month_text(month: date) -> str:
    """As paths name it."""
    return f"{month:%Y-%m}"


def part_prefix(workspace_id: UUID, kind: str, month: date, part_id: UUID) -> str:
    """What the names of all files begin with that were ever written of a part's kind: a folder of its own."""
    return f"archive/{workspace_id}/{kind}/{month_text(month)}/{part_id}"


def part_path(workspace_id: UUID, kind: str, month: date, part_id: UUID, content: bytes, ending: str) -> str:
    """Where a file of a part lies. Its name tells its content, so that nobody ever writes over what another wrote."""
    name = hashlib.sha256(content).hexdigest()[:16]
    return f"{part_prefix(workspace_id, kind, month, part_id)}/{name}.{ending}"


def month_of(moment: datetime) -> date:
    """The first day of its month in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def month_start(month: date) -> datetime:
    """When a month begins."""
    return datetime.combine(month, time(), UTC)


def next_month(month: date) -> date:
    """The month after it."""
    return (month + timedelta(days=31)).replace(day=1)


def last_round(now: datetime) -> datetime:
    """When a daily round was due last."""
    today = datetime.combine(now.astimezone(UTC).date(), time(ROUND_HOUR), UTC)
    return today if today <= now else today - timedelta(days=1)


@dataclass(frozen=True)
class Sized:
    """A run that may go into a part, and about how much it is."""

    run_id: UUID
    started_at: datetime
    steps: int
    bytes: int


def cut(runs: Sequence[Sized], *, most_bytes: int, most_steps: int) -> Sequence[Sized]:
    """The runs from the first on that are one part: at least one, and no more than that much in all."""
    steps = taken = 0
    for index, run in enumerate(runs):
        steps, taken = steps + run.steps, taken + run.bytes
        if index and (taken > most_bytes or steps > most_steps):
            return runs[:index]
    return runs


def pages(runs: Sequence[Sized], *, most_bytes: int, most_steps: int) -> Iterable[Sequence[Sized]]:
    """The same runs, in pages of that much each."""
    while runs:
        page = cut(runs, most_bytes=most_bytes, most_steps=most_steps)
        yield page
        runs = runs[len(page) :]


@dataclass(frozen=True)
class SizedEntry:
    """An entry of an audit log that may go into a part, and about how much it is."""

    sequence: int
    at: datetime
    bytes: int


def leading(entries: Sequence[SizedEntry], *, month: date, before: datetime, most_bytes: int) -> Sequence[SizedEntry]:
    """The entries from the first on that are one part: all of them of that month, and made before then.

    What comes after one that has to stay stays too, whenever it was made: only the beginning of a log may go.
    """
    taken = 0
    for index, entry in enumerate(entries):
        taken += entry.bytes
        if entry.at >= before or month_of(entry.at) != month or (index and taken > most_bytes):
            return entries[:index]
    return entries


def stored_bytes(value: str | None) -> int:
    """What a value takes of the workspace's storage, of its text as Postgres writes it: ``headgate.json_bytes``."""
    return 0 if value is None or value == "{}" else len(value.encode())
