"""The words for programs: every ``reason`` that a condition or an Event of Headgate can hold."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition is as it is. Users match on these words: they are never renamed."""

    RECONCILED = "Reconciled"
    """Everything that belongs to the object is in place."""
    SUSPENDED = "Suspended"
    """In place, and no new run starts because ``spec.suspend`` says so."""
    APPLYING = "Applying"
    """Being written, or written and not seen yet."""
    APPLY_FAILED = "ApplyFailed"
    """The API server could not be reached or failed; it is tried again."""
    APPLY_REFUSED = "ApplyRefused"
    """The API server understood and refused what was to be written."""
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    """Postgres does not answer; no run can start."""
    INVALID_SPEC = "InvalidSpec"
    """The object contradicts itself in a way that its schema could not refuse."""
    QUOTA_NOT_FOUND = "QuotaNotFound"
    """The Quota that a Workspace refers to does not exist."""
    QUOTA_INVALID = "QuotaInvalid"
    """The Quota that a Workspace refers to is not Ready because of its spec."""
    NAMESPACE_NOT_OWNED = "NamespaceNotOwned"
    """A namespace exists that is of no Workspace."""
    NAMESPACE_CONFLICT = "NamespaceConflict"
    """Another Workspace has the namespace, or was first to want it."""
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    """A namespace is being deleted; it is made anew afterwards."""
    QUOTA_NOT_COUNTED = "QuotaNotCounted"
    """A ResourceQuota is in place, and the cluster does not count yet what it limits."""
    NO_WORKSPACE = "NoWorkspace"
    """The namespace belongs to no Workspace that could run anything."""
    INVALID_SCHEDULE = "InvalidSchedule"
    """A cron expression or time zone of the Workflow cannot work."""
    INVALID_EXPRESSION = "InvalidExpression"
    """A CEL expression of the Workflow cannot be read, or refers to what is not there."""
    DELETING = "Deleting"
    """The object is being deleted."""
