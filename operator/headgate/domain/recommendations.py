"""What could go better, told by how the nodes of a workspace's workflows fared in the last days. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from headgate.domain.durations import format_duration

DAYS = 7
"""How many days are looked at."""
_ENOUGH = 20
"""Attempts from which on shares say something."""
_OFTEN, _MOSTLY = 0.1, 0.5
_UNEVEN = 20
_LONG_MS = 600_000


class Rule(StrEnum):
    """What is recommended."""

    RETRY = "Retry"
    REPAIR = "Repair"
    TIMEOUT = "Timeout"


@dataclass(frozen=True)
class NodeDays:
    """How a node of a workflow's current version fared."""

    workflow_id: UUID
    workflow: str
    node: str
    attempts: int
    failed: int
    average_ms: int
    longest_ms: int
    may_retry: bool
    """Whether repeating it may help: it decides nothing and asks nobody."""
    retries: bool
    """Whether it is repeated already."""
    has_timeout: bool
    """Whether its workflow says how long it may take."""


@dataclass(frozen=True)
class Recommendation:
    """One thing to change."""

    workflow_id: UUID
    node: str
    rule: Rule
    message: str


def recommend(nodes: Iterable[NodeDays]) -> list[Recommendation]:
    """What to change, at most one thing about failures and one about time for each node."""
    return [found for node in nodes if node.attempts >= _ENOUGH for found in (*_failures(node), *_times(node))]


def _failures(node: NodeDays) -> Iterable[Recommendation]:
    share = node.failed / node.attempts
    said = f"node {node.node} of workflow {node.workflow} failed in {share:.0%} of its {node.attempts} attempts"
    if share >= _MOSTLY:
        message = f"{said} of the last {DAYS} days: find out why from its logs, as repeating it helps little"
        yield Recommendation(node.workflow_id, node.node, Rule.REPAIR, message)
    elif share >= _OFTEN and node.may_retry and not node.retries:
        message = f"{said} of the last {DAYS} days: give it a retry, such as retry.limit: 2"
        yield Recommendation(node.workflow_id, node.node, Rule.RETRY, message)


def _times(node: NodeDays) -> Iterable[Recommendation]:
    if node.has_timeout or node.longest_ms < _LONG_MS or node.longest_ms < _UNEVEN * max(1, node.average_ms):
        return
    longest, average = (format_duration(timedelta(seconds=ms // 1000)) for ms in (node.longest_ms, node.average_ms))
    message = (
        f"node {node.node} of workflow {node.workflow} once took {longest}, where it takes {average} on average: "
        "give it a timeout, so that one that hangs ends"
    )
    yield Recommendation(node.workflow_id, node.node, Rule.TIMEOUT, message)
