"""What starts a run: a schedule, the end of another workflow, or a person. Webhooks have a file of their own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.cron import CRON_MESSAGE, CRON_PATTERN
from headgate.api.rules import Form, ListSet
from headgate.api.scalars import DnsSubdomain


class MissedRuns(StrEnum):
    """What happens to ticks that passed while Headgate could not act on them."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


class ConcurrencyPolicy(StrEnum):
    """What happens to a tick while a run of the same schedule has not ended."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class Schedule(KubeModel):
    """Starts a run at the times of a cron expression."""

    cron: Annotated[
        str,
        StringConstraints(min_length=9, max_length=128),
        Form(pattern=CRON_PATTERN, message=CRON_MESSAGE),
    ]
    """Five fields: minute, hour, day of month, month, day of week."""
    time_zone: Annotated[
        str,
        StringConstraints(min_length=1, max_length=64),
        Form(
            pattern=r"^[A-Za-z][-+_A-Za-z0-9]*(/[A-Za-z0-9][-+_A-Za-z0-9]*)*$",
            message="write the name of an IANA time zone, such as Europe/Berlin or UTC",
        ),
    ] = "UTC"
    """IANA time zone in which the expression is read, such as ``Europe/Berlin``."""
    missed_runs: MissedRuns = MissedRuns.LATEST
    """Which ticks that passed while Headgate was down run later: None, the Latest, or All up to missedRunsLimit.

    A tick of the last 30 seconds is not missed but late, and runs with None too.
    """
    missed_runs_limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """With ``missedRuns: All``: how many at most, the most recent ones."""
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.ALLOW
    """What a tick does while an earlier run of this schedule has not ended.

    Allow starts another beside it, Forbid leaves the tick out, Replace cancels the earlier one first.
    """


class Manual(KubeModel):
    """Lets a WorkflowRun start a run here."""


class Ending(StrEnum):
    """How the other workflow's run ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class Event(KubeModel):
    """Starts a run when a run of another workflow of the namespace ends.

    The run reads of it as ``event.workflow``, ``event.runId``, ``event.phase`` and ``event.outputs``.
    """

    workflow: DnsSubdomain
    """Name of the other workflow."""
    phases: Annotated[tuple[Ending, ...], Field(min_length=1, max_length=3), ListSet()] = (Ending.SUCCEEDED,)
    """The endings that count."""
