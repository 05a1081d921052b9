"""Files that attempts leave: what they may be called, where they lie, and how long sending one may take. Pure."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

from headgate.domain.step_log import stored_under
from headgate.domain.task import TaskRef

if TYPE_CHECKING:
    from collections.abc import Mapping

ARTIFACT_BYTES = 64 * 1024 * 1024
"""What a file has at most, unless the gateway's settings say otherwise."""
MOST_FILES = 20
"""Files that an attempt leaves at most."""
NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"
"""What a file may be called: a name that is one everywhere, and no path, no option and no hidden file anywhere."""
INVALID, TOO_LARGE, ELSEWHERE = "InvalidArtifact", "ArtifactTooLarge", "ArtifactsElsewhere"
"""Why an attempt fails whose files are not kept, besides ``StorageLimit``."""
_NAME = re.compile(NAME_PATTERN)
_SHOWN = 64
_SLOWEST = 262_144
"""Bytes in a second, below which whoever sends a file holds up others."""
_BEGINNING_SECONDS = 30.0
_OTHER = "application/octet-stream"
_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "csv": "text/csv",
        "gif": "image/gif",
        "gz": "application/gzip",
        "htm": "text/html",
        "html": "text/html",
        "jpeg": "image/jpeg",
        "jpg": "image/jpeg",
        "json": "application/json",
        "jsonl": "application/x-ndjson",
        "log": "text/plain",
        "md": "text/markdown",
        "parquet": "application/vnd.apache.parquet",
        "pdf": "application/pdf",
        "png": "image/png",
        "svg": "image/svg+xml",
        "tar": "application/x-tar",
        "txt": "text/plain",
        "xml": "application/xml",
        "yaml": "application/yaml",
        "yml": "application/yaml",
        "zip": "application/zip",
        "zst": "application/zstd",
    }
)


def is_name(text: str) -> bool:
    """Whether a file of that name is kept."""
    # Not match: before a line break at the end, $ matches too.
    return _NAME.fullmatch(text) is not None


def misnamed(name: str) -> str:
    """Why no file of that name is kept, in words for people. The name may be anything."""
    return (
        f"a file of $HEADGATE_ARTIFACTS is called {name[:_SHOWN]!a}: a name has letters, digits, '_', '.' and '-' "
        "of ASCII, 128 at most, of which the first is neither '.' nor '-'"
    )


def content_type(name: str) -> str:
    """What a file is said to hold, by the end of its name. Nobody looks into it."""
    return _TYPES.get(name.rpartition(".")[2].lower(), _OTHER)


def artifact_path(ref: TaskRef, upload: UUID) -> str:
    """Where a file of an attempt lies in the object store, beside the attempt's log.

    Each upload has a path of its own: what is noted of one is never true of another. Raises ``ValueError`` for an id
    that no run can have.
    """
    return f"{artifact_folder(ref)}/{upload}"


def artifact_folder(ref: TaskRef) -> str:
    """Where all lies that was ever sent of an attempt."""
    return f"{stored_under(ref)}.artifacts"


def sending_seconds(size: int) -> float:
    """How long sending so many bytes may take: who sends without end, or a byte now and then, is cut off."""
    return _BEGINNING_SECONDS + size / _SLOWEST
