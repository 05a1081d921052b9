"""Files that attempts left, as the API gives them."""

from __future__ import annotations

from datetime import datetime

from headgate.engine.reading.artifacts import Artifact, ArtifactPage
from headgate.gateway.models.base import ApiModel


class RunArtifact(ApiModel):
    """A file that an attempt left."""

    node: str
    """The node; of one that runs for each item of a list, with a dot and the item's index behind it."""
    attempt: int
    """Which attempt of the node."""
    name: str
    """What it is called."""
    bytes: int
    """How large it is."""
    sha256: str
    """The SHA-256 of what was kept, in hexadecimal."""
    content_type: str
    """What it is said to hold, by the end of its name. Nobody looked into it."""
    created_at: datetime
    """When it was kept."""


class RunArtifactList(ApiModel):
    """A page of files, by node, attempt and name."""

    items: tuple[RunArtifact, ...]
    """The files."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


def artifacts_of(page: ArtifactPage) -> RunArtifactList:
    """The page as the API gives it."""
    return RunArtifactList(items=tuple(map(_artifact, page.items)), next_cursor=page.next_cursor)


def _artifact(found: Artifact) -> RunArtifact:
    return RunArtifact(
        node=found.ref.node,
        attempt=found.ref.attempt,
        name=found.name,
        bytes=found.size,
        sha256=found.sha256,
        content_type=found.content_type,
        created_at=found.created_at,
    )
