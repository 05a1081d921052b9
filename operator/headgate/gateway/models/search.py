"""What is found by its words, as the API gives it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from headgate.api.workflow_run import RunPhase
from headgate.domain.search import LONGEST, SearchKind
from headgate.engine.reading.search import Hit, Hits
from headgate.gateway.models.base import ApiModel, PageQuery


class SearchQuery(PageQuery):
    """What is looked for."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST), Field(examples=['timeout -"exit code"'])]
    """Words that all have to be there, in any order and in large or small letters; those in quotation marks next to
    each other; ``or`` between two of which one is enough; ``-`` before what must be missing."""
    kind: SearchKind
    """Workflows by their names, display names, namespaces and nodes; runs by their error messages; recommendations."""


class SearchHit(ApiModel):
    """Something that has the words."""

    kind: SearchKind
    """What it is."""
    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow, or that of the run."""
    version: int | None
    """The workflow's current version; null for anything else."""
    run_id: UUID | None
    """The run; null where it is none."""
    phase: RunPhase | None
    """Where the run stands; null where it is none."""
    node: str | None
    """The node that is to change; null where nothing is recommended."""
    at: datetime
    """When the run was asked for, the workflow's version was made, or it was recommended."""
    text: str
    """The run's error message, the workflow's display name, or what is recommended."""


class SearchHits(ApiModel):
    """A page of what was found: runs the newest first, the others in the order in which they fit."""

    items: tuple[SearchHit, ...]
    """What has the words. It may be fewer than asked for where there is more."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


def hits_of(found: Hits) -> SearchHits:
    """The page as the API gives it."""
    return SearchHits(items=tuple(_hit(item) for item in found.items), next_cursor=found.next_cursor)


def _hit(item: Hit) -> SearchHit:
    return SearchHit(
        kind=item.kind,
        namespace=item.namespace,
        workflow=item.workflow,
        version=item.version,
        run_id=item.run_id,
        phase=item.phase,
        node=item.node,
        at=item.at,
        text=item.text,
    )
