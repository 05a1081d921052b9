"""Actions that the engine itself carries out, and how a node is repeated, multiplied and remembered."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.inputs import InputName
from headgate.api.rules import FreeForm, ListSet
from headgate.api.scalars import DnsSubdomain, Duration, PositiveDuration

Expression = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
"""A CEL expression over ``inputs`` and ``nodes.<id>.output``."""


class Transform(KubeModel):
    """Computes a value. It is the node's output, 64 KB of JSON at most."""

    expression: Expression
    """A CEL expression that gives any JSON value."""


class Call(KubeModel):
    """Runs another workflow of the namespace to its end. The node's output are that run's outputs."""

    name: DnsSubdomain
    """Name of the other workflow; its current version is run, from its first manual trigger."""
    inputs: Annotated[dict[InputName, Annotated[Any, FreeForm()]], Field(max_length=64)] = Field(default_factory=dict)
    """Values for its inputs. ``${{ ... }}`` is replaced in strings."""


class Approval(KubeModel):
    """Waits until a person approves or rejects. The output is ``{approved, by, comment}``; a rejection fails the node.

    The node's timeout is how long it waits.
    """

    message: Annotated[str, StringConstraints(max_length=1024)] = ""
    """What is to be decided. ``${{ ... }}`` is replaced."""
    users: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=253)], ...], Field(max_length=32), ListSet()
    ] = ()
    """Who may decide; whoever may change WorkflowRuns of the namespace when empty."""


class OnFailure(StrEnum):
    """What the failure of a node means for the run."""

    FAIL = "Fail"
    CONTINUE = "Continue"


class ForEach(KubeModel):
    """Runs the node once for every item of a list. Its output is the list of their outputs, in order."""

    items: Expression
    """A CEL expression that gives a list of at most 1000 items; the node reads them as ``item`` and ``index``."""
    parallelism: Annotated[int, Field(ge=1, le=100)] = 10
    """How many run at the same time at most."""


class Memoize(KubeModel):
    """Takes an earlier output instead of running, where the same key succeeded before."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """What the output depends on. ``${{ ... }}`` is replaced. A change of the node itself is another key by itself."""
    max_age: PositiveDuration = "24h"
    """How old an output may be."""


class Retry(KubeModel):
    """How often, and how patiently, a failed attempt is repeated."""

    limit: Annotated[int, Field(ge=0, le=20)] = 0
    """Attempts after the first at most."""
    initial_delay: Duration = "5s"
    """Wait before the second attempt."""
    factor: Annotated[int, Field(ge=1, le=10)] = 2
    """By how much each further wait is longer."""
    max_delay: Duration = "5m"
    """The longest wait."""
    jitter: Annotated[int, Field(ge=0, le=100)] = 0
    """By how many percent at most a wait is shortened at random, so that many do not come back at once."""
    when: Expression | None = None
    """A CEL expression over ``attempt`` (number, reason, message, exitCode): repeat only where it is true."""
