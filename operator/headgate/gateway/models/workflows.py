"""Workflows and their versions, as the API gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from headgate.engine.types import VersionView, WorkflowView
from headgate.gateway.models.base import ApiModel


class WorkflowItem(ApiModel):
    """A workflow that there is. It is changed in Kubernetes, and only there."""

    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    suspended: bool
    """Whether no run of it starts."""
    created_at: datetime
    """When it was first accepted."""
    version: int
    """The version that new runs start with."""
    version_created_at: datetime
    """When that version was first accepted."""
    content_hash: str
    """SHA-256, in hexadecimal, of what that version says."""


class WorkflowList(ApiModel):
    """A page of workflows, by namespace and name."""

    items: tuple[WorkflowItem, ...]
    """The workflows."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


class VersionItem(ApiModel):
    """A version of a workflow. It never changes."""

    number: int
    """Counts from 1."""
    created_at: datetime
    """When it was first accepted."""
    content_hash: str
    """SHA-256, in hexadecimal, of what it says."""
    current: bool
    """Whether new runs start with it."""


class Version(VersionItem):
    """A version of a workflow with what it says."""

    spec: dict[str, Any]
    """The Workflow's spec."""


class VersionList(ApiModel):
    """A page of versions, the newest first."""

    items: tuple[VersionItem, ...]
    """The versions."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


class VersionDiff(ApiModel):
    """What changed between two versions of a workflow."""

    before: int
    """The one version."""
    after: int
    """The other one."""
    diff: str
    """A unified diff of their specs as YAML; empty where they say the same."""


def workflow_of(view: WorkflowView) -> WorkflowItem:
    """The workflow as the API gives it."""
    return WorkflowItem(
        namespace=view.namespace,
        name=view.name,
        suspended=view.suspended,
        created_at=view.created_at,
        version=view.version,
        version_created_at=view.version_created_at,
        content_hash=view.content_hash,
    )


def version_of(view: VersionView) -> VersionItem:
    """The version as the API gives it."""
    return VersionItem(
        number=view.number, created_at=view.created_at, content_hash=view.content_hash, current=view.current
    )
