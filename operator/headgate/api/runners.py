"""Runners of a Workspace that are there before there is anything to do."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from headgate.api.base import KubeModel
from headgate.api.container import Resources
from headgate.api.rules import Rule


class Runners(KubeModel):
    """A pool of runners in each namespace, which execute ``http``, ``sql`` and ``script`` nodes of any run.

    Without one (``max: 0``), each run has a pod of its own for them, which takes seconds to start.
    """

    # The API server judges the default of the whole, too, before it has filled in those of its fields.
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.min) || self.min <= self.max", message="raise max to min at least, or lower min", at=".min"
        ),
    )

    min: Annotated[int, Field(ge=0, le=50)] = 0
    """Runners that are there also when there is nothing to do."""
    max: Annotated[int, Field(ge=0, le=50)] = 0
    """Runners at most; 0 for no pool."""
    idle_seconds: Annotated[int, Field(ge=10, le=86_400)] = 300
    """How long there has to be less to do before runners end."""
    resources: Resources = Field(default_factory=Resources)
    """Compute of the container in which scripts run, one at a time: a quarter of a processor and 256Mi, up to one and
    512Mi, when absent. The runner beside it has little of its own besides."""
