"""What all that the API takes and gives has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from headgate.api.base import WIRE
from headgate.api.scalars import LABEL_PATTERN, SUBDOMAIN_PATTERN

LARGEST_INTEGER = 2**31 - 1

Namespace = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=LABEL_PATTERN)]
"""Name of a namespace."""
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN)]
"""Name of an object in Kubernetes."""
Number = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
"""A number that counts from 1."""
# Postgres' text cannot hold NUL, and what breaks a line has no place in a name.
Line = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A short text of one line."""


def _written(value: object) -> object:
    # A number would be taken for seconds since 1970, so that a year alone was a minute of that year.
    if not isinstance(value, str) or "T" not in value.upper():
        raise ValueError("write a time with its zone, such as 2026-03-10T12:00:00Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A moment, as RFC 3339 writes it."""
Limit = Annotated[int, Field(ge=1, le=500)]
"""How many there are on a page at most."""


class ApiModel(BaseModel):
    """camelCase on the wire, unknown fields refused."""

    model_config = WIRE | ConfigDict(use_attribute_docstrings=True)


class PageQuery(ApiModel):
    """Which page of a list."""

    cursor: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """The ``nextCursor`` of the page before; the first page when absent."""
    limit: Limit = 50
    """How many there are on the page at most."""
